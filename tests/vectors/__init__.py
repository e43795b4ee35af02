"""Projects and what BuildStream 2.8 answers for them: data that the loader and the keys are measured against.

    keys/           small projects, each about one rule: keys, orders, scopes, composition
    kitchen-sink/   one project that uses everything at once
    errors/         broken inputs and the errors they must give
    execution/      builds on a cluster, and the actions that it is asked for; has its own record.py
    record.py       asks an executable again and replaces the answers

A vector is a folder with `project/`, `special-files.yaml` for what version control would not keep, and one
`expected-NAME.json` a question: options, targets, symbols, and the answer for each element.
"""
