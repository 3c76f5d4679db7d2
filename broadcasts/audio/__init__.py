"""From an uploaded recording to the one file that every pole fetches.

`pipeline.prepare` is the door. An upload is named by its bytes (`magic`), decoded, filtered, levelled and encoded in a
child process that can do little harm (`child`, `worker`, `confine`, `decode`, `level`, `encode`), and kept under the
SHA-256 of its bytes (`store`, `digest`). `join` is the editing layer for short parts and the one module that knows
pydub; `sample` makes a recording to try things with.
"""
