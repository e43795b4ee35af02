# Completion of bst for fish: install this file as bst.fish in ~/.config/fish/completions

function __bst_complete
    set -l before (commandline --tokenize --cut-at-cursor --current-process)
    set -l word (commandline --current-token)
    set -l line (string join ' ' -- (string escape --style=script -- $before)) $word
    # candidates stand for the whole word, also after --option=
    set -l prefix (string match --regex --groups-only -- '^(--[^=]+=)' $word; or echo)
    # fish puts the blank after a finished word itself, and none after a directory
    env _BST_COMPLETION=complete COMP_WORDS="$line" COMP_CWORD=(count $before) $before[1] |
        string trim --right | string replace --regex '^' -- "$prefix"
end

complete --command bst --no-files --arguments '(__bst_complete)'
