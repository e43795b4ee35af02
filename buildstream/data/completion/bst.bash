# Completion of bst for bash: source this file, or install it as
# /usr/share/bash-completion/completions/bst

_bst_completion() {
    local words="${COMP_WORDS[*]}" IFS=$'\n'
    COMPREPLY=($(COMP_WORDS="$words" COMP_CWORD=$COMP_CWORD _BST_COMPLETION=complete "$1"))
    return 0
}

complete -F _bst_completion -o nospace bst
