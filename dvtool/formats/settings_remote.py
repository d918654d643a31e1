"""The settings of remotes, kind by kind. Names are those that users of DVC know."""

from __future__ import annotations

from dvtool.formats.setting import Setting
from dvtool.formats.setting import Type

REMOTE_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "remote.*.url", Type.URL, "where it is; a relative directory starts at the project's root", in_project=True
    ),
    Setting("remote.*.jobs", Type.COUNT, "requests at once", in_project=True),
    Setting(
        "remote.*.chunk",
        Type.FLAG,
        "cut large files where their content says, in a store made by this push; false: into fixed pieces",
        True,
        in_project=True,
    ),
    Setting("remote.*.endpointurl", Type.URL, "S3: a server other than Amazon's", in_project=True),
    Setting("remote.*.region", Type.TEXT, "S3: region", in_project=True),
    Setting("remote.*.profile", Type.TEXT, "S3: name of a profile in `~/.aws`", in_project=True),
    Setting(
        "remote.*.addressing_style",
        Type.CHOICE,
        "S3: bucket in the path or in the host name",
        "auto",
        ("auto", "path", "virtual"),
        in_project=True,
    ),
    Setting(
        "remote.*.allow_anonymous_login",
        Type.FLAG,
        "S3: send unsigned requests (public buckets)",
        False,
        in_project=True,
    ),
    Setting("remote.*.connect_timeout", Type.SECONDS, "S3: longest wait for a connection", in_project=True),
    Setting("remote.*.read_timeout", Type.SECONDS, "S3: longest silence of the server", in_project=True),
    Setting("remote.*.credentialpath", Type.PATH, "S3: file with credentials, instead of `~/.aws/credentials`"),
    Setting("remote.*.configpath", Type.PATH, "S3: file with settings, instead of `~/.aws/config`"),
    Setting("remote.*.use_ssl", Type.FLAG, "S3: TLS", True),
    Setting("remote.*.ssl_verify", Type.TEXT, "S3: check certificates (true, false), or the path of a CA bundle"),
    Setting("remote.*.access_key_id", Type.TEXT, "S3: access key", secret=True),
    Setting("remote.*.secret_access_key", Type.TEXT, "S3: its secret", secret=True),
    Setting("remote.*.session_token", Type.TEXT, "S3: token of temporary credentials", secret=True),
    Setting(
        "remote.*.fs_options",
        Type.TEXT,
        "other protocols: further arguments of the fsspec driver, as a JSON object",
        secret=True,
    ),
)
