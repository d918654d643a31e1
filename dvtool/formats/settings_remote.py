"""The settings of remotes, kind by kind. Names are those that users of DVC know."""

from __future__ import annotations

from dvtool.formats.setting import Setting
from dvtool.formats.setting import Type

REMOTE_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "remote.*.url", Type.URL, "where it is; a relative directory starts at the project's root", in_project=True
    ),
    Setting(
        "remote.*.mirrors",
        Type.NAMES,
        "remotes that are read in turn where this one does not answer or lacks something",
        in_project=True,
    ),
    Setting(
        "remote.*.paths",
        Type.PATTERNS,
        "tracked paths that belong to this remote instead of the default one, as in `.gitignore`",
        in_project=True,
    ),
    Setting(
        "remote.*.adopts",
        Type.CHOICE,
        "what another tool keeps there beside it: objects of DVC, or those of a Git LFS server; written by `migrate`",
        None,
        ("dvc", "lfs"),
        in_project=True,
    ),
    Setting(
        "remote.*.bound_to",
        Type.TEXT,
        "the server that the secrets in the same file are sent to; written when one is set",
        only_user=True,
    ),
    Setting(
        "remote.*.trusted",
        Type.TEXT,
        "digest of what the committed file says of it; written by `remote trust`",
        only_user=True,
    ),
    Setting(
        "remote.*.jobs",
        Type.COUNT,
        "requests at once; default: what this kind of remote bears, adapted as it goes",
        in_project=True,
    ),
    Setting(
        "remote.*.bandwidth", Type.SIZE, "bytes a second to and from it, instead of `core.bandwidth`", in_project=True
    ),
    Setting("remote.*.proxy", Type.URL, "HTTP proxy for it; `none`: no proxy, whatever HTTPS_PROXY says"),
    Setting(
        "remote.*.chunk",
        Type.FLAG,
        "cut large files where their content says; false: into pieces of 4 MiB",
        True,
        in_project=True,
    ),
    Setting(
        "remote.*.endpointurl", Type.URL, "S3, Azure, GCS: another server than the provider's own", in_project=True
    ),
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
        "S3, Azure, GCS: send no credentials (public buckets and containers)",
        False,
        in_project=True,
    ),
    Setting(
        "remote.*.connect_timeout",
        Type.SECONDS,
        "S3, Azure, GCS, HTTP, WebDAV: longest wait for a connection",
        in_project=True,
    ),
    Setting(
        "remote.*.read_timeout",
        Type.SECONDS,
        "S3, Azure, GCS, HTTP, WebDAV: longest silence of the server",
        in_project=True,
    ),
    Setting(
        "remote.*.credentialpath", Type.PATH, "S3, GCS: file with credentials (for S3 instead of `~/.aws/credentials`)"
    ),
    Setting("remote.*.configpath", Type.PATH, "S3: file with settings, instead of `~/.aws/config`"),
    Setting("remote.*.use_ssl", Type.FLAG, "S3: TLS", True),
    Setting("remote.*.ssl_verify", Type.TEXT, "check TLS certificates (true, false), or the path of a CA bundle"),
    Setting("remote.*.access_key_id", Type.TEXT, "S3: access key", secret=True, signs=True),
    Setting("remote.*.secret_access_key", Type.TEXT, "S3: its secret", secret=True, signs=True),
    Setting("remote.*.session_token", Type.TEXT, "S3: token of temporary credentials", secret=True, signs=True),
    Setting("remote.*.sse", Type.TEXT, "S3: encryption on the server, such as AES256 or aws:kms", in_project=True),
    Setting("remote.*.sse_kms_key_id", Type.TEXT, "S3: key of `sse = aws:kms`", in_project=True),
    Setting("remote.*.sse_customer_algorithm", Type.TEXT, "S3: of `sse_customer_key`; default AES256", in_project=True),
    Setting("remote.*.sse_customer_key", Type.TEXT, "S3: your own key of 32 bytes for the server to use", secret=True),
    Setting("remote.*.acl", Type.TEXT, "S3: who may do what with new objects, such as bucket-owner-full-control"),
    Setting("remote.*.grant_read", Type.TEXT, "S3: who may read new objects"),
    Setting("remote.*.grant_read_acp", Type.TEXT, "S3: who may read their access list"),
    Setting("remote.*.grant_write_acp", Type.TEXT, "S3: who may change their access list"),
    Setting("remote.*.grant_full_control", Type.TEXT, "S3: who may do everything with them"),
    Setting("remote.*.account_name", Type.TEXT, "Azure: the storage account", in_project=True),
    Setting("remote.*.connection_string", Type.TEXT, "Azure: account, server and key in one", secret=True),
    Setting("remote.*.account_key", Type.TEXT, "Azure: key of the account", secret=True, signs=True),
    Setting("remote.*.sas_token", Type.TEXT, "Azure: shared access signature", secret=True),
    Setting("remote.*.tenant_id", Type.TEXT, "Azure: tenant of the service principal", in_project=True),
    Setting("remote.*.client_id", Type.TEXT, "Azure: its client id; alone: of a managed identity", in_project=True),
    Setting("remote.*.client_secret", Type.TEXT, "Azure: its secret", secret=True),
    Setting("remote.*.projectname", Type.TEXT, "GCS: project that pays for the requests", in_project=True),
    Setting("remote.*.oss_endpoint", Type.URL, "Aliyun OSS: its address in the bucket's region", in_project=True),
    Setting("remote.*.oss_key_id", Type.TEXT, "Aliyun OSS: access key", secret=True, signs=True),
    Setting("remote.*.oss_key_secret", Type.TEXT, "Aliyun OSS: its secret", secret=True, signs=True),
    Setting("remote.*.user", Type.TEXT, "file and web servers: whom to log in as", in_project=True),
    Setting("remote.*.password", Type.TEXT, "file and web servers: the password", secret=True),
    Setting(
        "remote.*.auth",
        Type.CHOICE,
        "HTTP, WebDAV: how user and password are sent; custom: in `custom_auth_header`",
        "basic",
        ("basic", "digest", "custom"),
        in_project=True,
        directs=True,
    ),
    Setting("remote.*.custom_auth_header", Type.TEXT, "HTTP, WebDAV: name of the header that carries the password"),
    Setting("remote.*.token", Type.TEXT, "HTTP, WebDAV, WebHDFS: bearer or delegation token", secret=True),
    Setting(
        "remote.*.bearer_token_command",
        Type.TEXT,
        "HTTP, WebDAV: a program, with its arguments, that prints a bearer token",
        only_user=True,
    ),
    Setting("remote.*.cert_path", Type.PATH, "HTTP, WebDAV: file with a client certificate"),
    Setting("remote.*.key_path", Type.PATH, "HTTP, WebDAV: file with its key"),
    Setting("remote.*.timeout", Type.SECONDS, "file and web servers: longest silence of the server", in_project=True),
    Setting("remote.*.use_https", Type.FLAG, "WebHDFS: TLS", False, in_project=True, directs=True),
    Setting("remote.*.replication", Type.COUNT, "HDFS: copies of each block", in_project=True),
    Setting(
        "remote.*.fs_options",
        Type.TEXT,
        "other protocols: further arguments of the fsspec driver, as a JSON object",
        secret=True,
    ),
    Setting(
        "remote.*.gdrive_use_service_account",
        Type.FLAG,
        "Google Drive: take a service account, never the sign-in of a person",
        False,
        in_project=True,
    ),
    Setting(
        "remote.*.gdrive_service_account_json_file_path",
        Type.PATH,
        "Google Drive: key file of a service account",
    ),
    Setting(
        "remote.*.gdrive_service_account_user_email",
        Type.TEXT,
        "Google Drive: the user for whom the service account acts (domain-wide delegation)",
    ),
    Setting("remote.*.gdrive_client_id", Type.TEXT, "Google Drive: your own OAuth client", in_project=True),
    Setting("remote.*.gdrive_client_secret", Type.TEXT, "Google Drive: its secret", secret=True),
    Setting(
        "remote.*.gdrive_user_credentials_file",
        Type.PATH,
        "Google Drive: where `remote login` keeps the sign-in; default: `dvtool/gdrive/` in the user's configuration",
    ),
    Setting(
        "remote.*.gdrive_trash_only",
        Type.FLAG,
        "Google Drive: put what is deleted into the trash",
        False,
        in_project=True,
    ),
    Setting(
        "remote.*.gdrive_acknowledge_abuse",
        Type.FLAG,
        "Google Drive: fetch files that Google takes for malware",
        False,
    ),
    Setting(
        "remote.*.gdrive_endpointurl",
        Type.URL,
        "Google Drive: another address of the API (a private endpoint)",
    ),
    Setting("remote.*.port", Type.COUNT, "SSH, SMB: port, if the URL does not name it", in_project=True, directs=True),
    Setting("remote.*.keyfile", Type.PATH, "SSH: private key, instead of those of `~/.ssh` and of the agent"),
    Setting("remote.*.passphrase", Type.TEXT, "SSH: opens the private key", secret=True),
    Setting("remote.*.allow_agent", Type.FLAG, "SSH: ask the agent for keys", True, in_project=True),
    Setting("remote.*.gss_auth", Type.FLAG, "SSH: log in with Kerberos (needs the package gssapi)", False),
    Setting(
        "remote.*.max_sessions", Type.COUNT, "SSH: sessions over one connection at most; default: 4", in_project=True
    ),
    Setting(
        "remote.*.encrypt", Type.FLAG, "SMB: refuse a server that cannot encrypt what is sent", False, in_project=True
    ),
)
