"""`bst help`."""

import click


@click.command("help", add_help_option=False)
@click.argument("command", nargs=-1, metavar="COMMAND")
@click.pass_context
def help_(context: click.Context, command: tuple[str, ...]) -> None:
    """Shows how COMMAND is used; a group and its command are two words."""
    assert context.parent is not None, "help is a command of bst"
    current: click.Command = context.parent.command
    current_context = context.parent
    for count, word in enumerate(command, start=1):
        found = current.get_command(current_context, word) if isinstance(current, click.Group) else None
        if found is None:
            program = context.parent.info_name
            click.echo(f"Not a valid command: '{program} {' '.join(command[:count])}'", err=True)
            _suggest(word, current, current_context)
            context.exit(255)
        current = found
        current_context = click.Context(
            found, parent=current_context, info_name=word, **found.context_settings
        )
    click.echo(current.get_help(current_context), err=True)
    if isinstance(current, click.Group):
        group = f"{' '.join(command)} " if command else ""
        click.echo(f"\nFor usage on a specific command: bst help {group}COMMAND", err=True)


def _suggest(word: str, command: click.Command, context: click.Context) -> None:
    """Asks whether the sub-command of COMMAND was meant that WORD resembles most."""
    from .._utils_nearmiss import did_you_mean

    known = command.list_commands(context) if isinstance(command, click.Group) else ()
    hint = did_you_mean(word, known)
    if hint is not None:
        click.echo(hint, err=True)
