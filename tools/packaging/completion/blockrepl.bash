# Completion of blockrepl's commands, options and resources; the program says what it has.
_blockrepl()
{
    local current="${COMP_WORDS[COMP_CWORD]}" command="" word words
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$word" in
            -*) ;;
            *) command="$word"; break ;;
        esac
    done
    case "$current" in
        -*) words="$(blockrepl $command --help 2>/dev/null | grep -oE '(^| )--?[a-zA-Z][a-zA-Z-]*')" ;;
        *)
            if [ -z "$command" ]; then
                words="$(blockrepl --help 2>/dev/null | sed -n '/^Commands:/,$s/^  \([a-z-]*\).*/\1/p')"
            else
                words="all $(drbdadm sh-resources 2>/dev/null)"
            fi
            ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _blockrepl blockrepl
