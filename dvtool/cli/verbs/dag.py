"""``dvtool dag``"""

from __future__ import annotations

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.options import complete_stage
from dvtool.cli.options import one_of
from dvtool.cli.session import Session


@verb(
    "dag",
    examples=(
        "dvtool dag",
        "dvtool dag train                # with all that it needs",
        "dvtool dag --outs               # the files instead of the stages",
        "dvtool dag --md >> README.md    # a drawing that GitHub shows",
        "dvtool dag --dot | dot -Tsvg > dag.svg",
    ),
)
@click.argument("targets", nargs=-1, shell_complete=complete_stage)
@click.option("--dot", "as_dot", is_flag=True, help="Print it for Graphviz.")
@click.option("--mermaid", "as_mermaid", is_flag=True, help="Print it for Mermaid.")
@click.option("--md", "as_markdown", is_flag=True, help="Print it for Mermaid, as a block of Markdown.")
@click.option("--full", is_flag=True, help="Also what hangs together with the targets otherwise.")
@click.option("-o", "--outs", is_flag=True, help="Show the files instead of the stages.")
@click.option(
    "--collapse-foreach-matrix", "fold", is_flag=True, help="Show what one foreach or matrix makes as one stage."
)
@json_option
@click.pass_obj
def dag(
    session: Session,
    targets: tuple[str, ...],
    as_dot: bool,
    as_mermaid: bool,
    as_markdown: bool,
    full: bool,
    outs: bool,
    fold: bool,
    as_json: bool,
) -> None:
    """Show the graph of the pipelines.

    Each stage stands below one that it needs, and names the others. Targets are stages,
    definitions, outputs or tracked paths: they are shown with all that they need. Nothing is
    started, and no data is looked at.
    """
    from dvtool.api.dag import DagRequest
    from dvtool.api.dag import dag as run
    from dvtool.ui.dag import dag_dot
    from dvtool.ui.dag import dag_json
    from dvtool.ui.dag import dag_mermaid
    from dvtool.ui.dag import dag_text

    one_of({"--dot": as_dot, "--mermaid": as_mermaid, "--md": as_markdown, "--json": as_json})
    view = run(session.project(), DagRequest(targets, outs=outs, full=full, fold=fold), session.reporter)
    if as_json:
        session.json("dag/1", dag_json(view))
    elif as_dot:
        session.lines(dag_dot(view))
    elif as_mermaid or as_markdown:
        session.lines(dag_mermaid(view, markdown=as_markdown))
    else:
        session.lines(dag_text(view, session.paint))
