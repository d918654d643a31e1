"""The public Python API: data to read, and one function for each thing a user can do.

`open`, `read`, `read_table` and `DvtoolFileSystem` read data. ``dvtool.api.VERB`` holds ``VerbRequest``,
``VerbResult`` and ``verb(project, request, reporter)``: request in, result out, nothing printed. A project comes from
``open_here()``. Errors are those of `dvtool.errors`. Everything is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    from dvtool.api.datafiles import open as open  # noqa: A004
    from dvtool.api.datafiles import read as read
    from dvtool.api.datafiles import read_table as read_table
    from dvtool.api.filesystem import DvtoolFileSystem as DvtoolFileSystem
    from dvtool.api.process import open_here as open_here
    from dvtool.project.open import Project as Project
    from dvtool.project.open import open_project as open_project

_HOMES: dict[str, tuple[str, ...]] = {
    "dvtool.api.apply": ("ApplyRequest", "apply"),
    "dvtool.api.cachedir": ("CacheDirResult", "cache_dir", "set_cache_dir"),
    "dvtool.api.cachekey": ("cache_key",),
    "dvtool.api.check_ignore": ("IgnoreAnswer", "check_ignore"),
    "dvtool.api.config": ("SettingView", "config_get", "config_list", "config_set", "config_unset"),
    "dvtool.api.dag": ("DagRequest", "dag"),
    "dvtool.api.datafiles": ("open", "read", "read_table"),
    "dvtool.api.doctor": ("Check", "DoctorRequest", "DoctorResult", "doctor"),
    "dvtool.api.filesystem": ("DvtoolFileSystem",),
    "dvtool.api.freeze": ("FreezeRequest", "FreezeResult", "freeze"),
    "dvtool.api.fsck": ("FsckRequest", "FsckResult", "fsck"),
    "dvtool.api.fsckscope": ("Scope",),
    "dvtool.api.du": ("DuRequest", "DuResult", "du"),
    "dvtool.api.drop": ("DropRequest", "DropResult", "drop"),
    "dvtool.api.get": ("GetRequest", "GetResult", "get"),
    "dvtool.api.importing": ("Imported", "ImportRequest", "import_data"),
    "dvtool.api.importurl": ("GetUrlRequest", "ImportUrlRequest", "get_url", "import_url"),
    "dvtool.api.init": ("InitRequest", "InitResult", "init"),
    "dvtool.api.install": ("InstallPlan", "InstallRequest", "install", "plan_install"),
    "dvtool.api.lint": ("Finding", "LintResult", "lint"),
    "dvtool.api.metrics": (
        "MetricsDiffRequest",
        "MetricsShowRequest",
        "MetricsShowResult",
        "ValuesDiffResult",
        "metrics_diff",
        "metrics_show",
    ),
    "dvtool.api.migrate": ("MigrateRequest", "MigrateResult", "migrate"),
    "dvtool.api.oplog": ("OpLogRequest", "OperationView", "op_log"),
    "dvtool.api.process": ("open_here",),
    "dvtool.api.plan": ("PlanRequest", "PlanResult", "PlannedStage", "plan"),
    "dvtool.api.params": ("ParamsDiffRequest", "params_diff"),
    "dvtool.api.remote": (
        "RemoteAddRequest",
        "RemoteView",
        "TrustView",
        "remote_add",
        "remote_default",
        "remote_list",
        "remote_modify",
        "remote_remove",
        "remote_rename",
        "remote_set_default",
        "remote_standing",
        "remote_trust",
    ),
    "dvtool.api.remote_catalog": ("CatalogReport", "remote_catalog"),
    "dvtool.api.remote_cleanup": ("CleanupReport", "CleanupRequest", "remote_cleanup"),
    "dvtool.api.remote_login": ("remote_sign_in", "remote_signed_in"),
    "dvtool.api.remote_test": ("RemoteTestRequest", "remote_test"),
    "dvtool.api.repro": ("ReproRequest", "ReproResult", "repro"),
    "dvtool.api.merge": ("MergeDriverRequest", "MergeDriverResult", "merge_driver"),
    "dvtool.api.report": ("ReportRequest", "ReportResult", "report"),
    "dvtool.api.resolve": ("ResolveRequest", "ResolveResult", "resolve"),
    "dvtool.api.resume": ("ResumeRequest", "ResumeResult", "resume"),
    "dvtool.api.root": ("RootResult", "root"),
    "dvtool.api.runs": ("Run", "run_log", "runs_list", "runs_show"),
    "dvtool.api.stageadd": ("StageAddRequest", "StageAddResult", "stage_add"),
    "dvtool.api.stagelist": ("StageListRequest", "StageListResult", "StageView", "stage_list"),
    "dvtool.api.undo": ("UndoRequest", "UndoResult", "undo"),
    "dvtool.api.verify": ("VerifyRequest", "VerifyResult", "verify"),
    "dvtool.api.updating": ("UpdateRequest", "UpdateResult", "update"),
    "dvtool.api.version": ("VersionResult", "version"),
    "dvtool.api.whereis": ("WhereIsRequest", "WhereIsResult", "Whereabouts", "whereis"),
    "dvtool.api.why": ("WhyRequest", "WhyResult", "why"),
    "dvtool.project.config": ("Level",),
    "dvtool.project.environment": ("Environment",),
    "dvtool.project.open": ("Project", "open_project"),
}
# A verb's function has the name of its module, and that name here is the module: whoever imports it makes it so.
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names if home != f"dvtool.api.{name}"}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
