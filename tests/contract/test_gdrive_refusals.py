"""Google Drive that refuses: limits, rights, credentials. Against the stub, as `test_gdrive`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dvtool.errors import AccessDenied
from dvtool.errors import ConfigError
from dvtool.errors import StorageError
from dvtool.remote.address import Address
from dvtool.remote.failures import TransientError
from dvtool.remote.table import open_remote
from tests.support.drivehttp import ROBOT
from tests.support.drivehttp import DriveServer
from tests.support.drivehttp import Fault
from tests.support.gdrive import Open
from tests.support.gdrive import drive
from tests.support.gdrive import opened
from tests.support.gdrive import robot_key
from tests.support.gdrive import user

__all__ = ["drive", "opened", "robot_key", "user"]

MIB = 1 << 20


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "reason", "kind", "words"),
        [
            (403, "rateLimitExceeded", TransientError, "too many requests"),
            (403, "userRateLimitExceeded", TransientError, "too many requests"),
            (429, "", TransientError, "too many requests"),
            (500, "internalError", TransientError, "internalError"),
            (502, "", TransientError, "502"),
            (403, "dailyLimitExceeded", StorageError, "daily limit"),
            (403, "storageQuotaExceeded", StorageError, "no space left"),
            (403, "teamDriveFileLimitExceeded", StorageError, "full"),
            (403, "cannotDownloadAbusiveFile", StorageError, "malware"),
            (403, "insufficientFilePermissions", AccessDenied, "403"),
            (403, "appNotAuthorizedToFile", AccessDenied, "403"),
            (403, "accessNotConfigured", AccessDenied, "not enabled"),
            (400, "badRequest", StorageError, "400"),
        ],
    )
    def test_each_reason_is_told(
        self, drive: DriveServer, opened: Open, status: int, reason: str, kind: type[StorageError], words: str
    ) -> None:
        remote = opened()
        remote.put("data/k", b"x")
        drive.faults.append(Fault("GET", "/drive/v3/files", status=status, reason=reason))
        with pytest.raises(StorageError, match=words) as caught:
            remote.get("data/k")
        assert type(caught.value) is kind
        if kind is AccessDenied:
            assert drive.key_file in str(caught.value.hint)

    def test_a_wait_that_google_asks_for_is_passed_on(self, drive: DriveServer, opened: Open) -> None:
        remote = opened()
        drive.faults.append(Fault("GET", "files", status=429, reason="rateLimitExceeded", headers={"Retry-After": "7"}))
        with pytest.raises(TransientError) as caught:
            remote.stat("data/k")
        assert caught.value.retry_after == 7

    def test_a_storm_of_limits_is_waited_out(self, drive: DriveServer, opened: Open) -> None:
        drive.faults.append(Fault("GET", "files", times=2, status=403, reason="userRateLimitExceeded"))
        drive.faults.append(Fault("POST", "files", times=2, status=429))
        remote = open_remote(Address("origin", drive.folder_url(), drive.settings, b"/", {}))
        remote.put("data/k", b"x")
        assert remote.get("data/k") == b"x"
        remote.close()

    def test_a_service_account_has_no_space_of_its_own(self, drive: DriveServer, opened: Open) -> None:
        with pytest.raises(StorageError, match="no space left") as caught:
            opened(f"gdrive://{drive.drive.root}").put("data/k", b"x")
        assert "shared drive" in str(caught.value.hint)

    def test_a_folder_that_is_not_shared_names_the_account(self, drive: DriveServer, opened: Open) -> None:
        with pytest.raises(AccessDenied, match="no folder elsewhere") as caught:
            list(opened("gdrive://elsewhere").list(""))
        assert f"the service account in {drive.key_file}" in str(caught.value.hint)

    def test_a_file_is_no_folder(self, drive: DriveServer, opened: Open) -> None:
        file = drive.drive.make("f", "text/plain", (drive.drive.shared,), b"x")
        with pytest.raises(StorageError, match="not a folder"):
            list(opened(f"gdrive://{file.id}").list(""))

    def test_nobody_listens(self, drive: DriveServer, opened: Open, tmp_path: Path) -> None:
        with pytest.raises(TransientError, match="cannot be reached") as caught:
            opened(gdrive_endpointurl="http://127.0.0.1:1").stat("k")
        assert caught.value.unreachable

    def test_a_token_that_is_refused_is_renewed_once(self, drive: DriveServer, opened: Open) -> None:
        remote = opened()
        remote.put("data/k", b"x")
        drive.forget_tokens()
        assert remote.stat("data/k") is not None
        drive.faults.append(Fault("GET", "files", times=9, status=401, reason="authError"))
        with pytest.raises(AccessDenied):
            remote.stat("data/k")
        assert sum(each.path == "/token" for each in drive.asked) == 3


class TestCredentials:
    def test_a_user(self, drive: DriveServer, opened: Open, user: dict[str, str]) -> None:
        remote = opened(f"gdrive://{drive.drive.root}/my/data", **user)
        remote.put("data/k", b"x")
        assert [each.name for each in drive.drive.files.values()][-4:] == ["my", "data", "data", "k"]

    def test_a_service_account_acts_for_a_user(self, drive: DriveServer, opened: Open) -> None:
        remote = opened(f"gdrive://{drive.drive.root}", gdrive_service_account_user_email="ann@example.org")
        assert remote.put("data/k", b"x")

    @pytest.mark.parametrize("variable", ["GOOGLE_APPLICATION_CREDENTIALS", "GDRIVE_CREDENTIALS_DATA"])
    def test_from_the_environment(self, drive: DriveServer, opened: Open, variable: str) -> None:
        text = Path(drive.key_file).read_text()
        environ = {variable: drive.key_file if "APPLICATION" in variable else text}
        none = {"gdrive_service_account_json_file_path": ""}
        assert opened(environ=environ, **none).put("data/k", b"x")
        drive.robot = type(drive.robot)(ROBOT, "reader", is_service=True)
        with pytest.raises(AccessDenied) as caught:
            opened(environ=environ, **none).put("data/l", b"x")
        assert f"${variable}" in str(caught.value.hint)

    def test_none_at_all(self, opened: Open) -> None:
        with pytest.raises(AccessDenied, match="no credentials") as caught:
            opened(gdrive_service_account_json_file_path="").stat("k")
        assert "gdrive_service_account_json_file_path" in str(caught.value.hint)

    def test_not_signed_in_yet(self, opened: Open, user: dict[str, str], tmp_path: Path) -> None:
        (tmp_path / "ann.json").unlink()
        with pytest.raises(AccessDenied, match="not signed in") as caught:
            opened(**user).stat("k")
        assert "dvtool remote login origin" in str(caught.value.hint)

    def test_a_sign_in_that_was_taken_back(self, opened: Open, user: dict[str, str], tmp_path: Path) -> None:
        kept = json.loads((tmp_path / "ann.json").read_text())
        (tmp_path / "ann.json").write_text(json.dumps({**kept, "refresh_token": "1//old"}))
        with pytest.raises(AccessDenied, match="expired or revoked") as caught:
            opened(**user).stat("k")
        assert "dvtool remote login origin" in str(caught.value.hint)
        assert "1//old" not in f"{caught.value.message}{caught.value.hint}"

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"type": "service_account"}', "not JSON"])
    def test_a_file_that_is_no_credential(self, opened: Open, tmp_path: Path, text: str) -> None:
        (tmp_path / "odd.json").write_text(text)
        with pytest.raises(ConfigError, match=r"odd\.json"):
            opened(gdrive_service_account_json_file_path=str(tmp_path / "odd.json")).stat("k")

    def test_a_key_that_is_not_the_accounts(self, drive: DriveServer, opened: Open, tmp_path: Path) -> None:
        from cryptography.hazmat.primitives.asymmetric import rsa

        from tests.support.gdrive import service_account

        other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        (tmp_path / "other.json").write_text(json.dumps(service_account(other, drive)))
        with pytest.raises(AccessDenied, match="Invalid JWT Signature") as caught:
            opened(gdrive_service_account_json_file_path=str(tmp_path / "other.json")).stat("k")
        assert "PRIVATE KEY" not in f"{caught.value.message}{caught.value.hint}"
