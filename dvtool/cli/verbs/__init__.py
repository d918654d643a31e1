'''The verbs, one module each. The pattern, from argv to exit code:

    @verb("root", examples=("dvtool root", ...))        # frame.verb; the name stands in table.py too
    @click.argument("targets", nargs=-1, type=PATH)      # frame.PATH: paths are bytes
    @click.option("-f", "--force", is_flag=True, help="One short sentence.")
    @json_option                                         # frame.json_option -> as_json
    @click.pass_obj
    def add(session: Session, targets: tuple[bytes, ...], force: bool, as_json: bool) -> int | None:
        """The one line of table.py, word for word.

        Then what the user should know, in short sentences.
        """
        from dvtool.api.add import AddRequest            # inside: `--help` of a verb loads no engine
        from dvtool.api.add import add as run

        result = run(session.project(), AddRequest(targets, force=force), session.reporter)
        if as_json:
            session.json("add/1", result)                # {"schema": "dvtool/add/1", ...fields of the result}
        else:
            session.summary(f"{count(result.files, 'file')} added")
        return None                                      # or an exit code: 1 for --exit-code and differences

Errors are raised, never printed: `dvtool.cli.door` shows them and picks the exit code. A verb that
did part of its work prints (or emits) what it did and then raises a `DvtoolError` with ``causes``.
`Session.line` is for result lines (made safe), `Session.lines` for many lines whose names went
through `dvtool.model.paths.show`, `Session.path` for one path that a script reads, `Session.summary`
for "what was done", which ``-q`` silences, `Session.note` and `Session.warn` for standard error.
`Session.read_paths` is ``--stdin``. `dvtool.cli.options` has ``--local`` and its kin and the completion
of remotes. Text is built by functions of `dvtool.ui`, which tests call directly.

After a new verb: ``python scripts/gen_reference.py``, and a test in ``tests/cli`` with
`tests.support.cli.CommandLine`.
'''

from __future__ import annotations
