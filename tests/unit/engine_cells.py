"""Cells on which kernels were seen to differ, and how two executed notebooks are compared."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

GIVEN = {"programme": "nsw", "changes": {"a": 1}, "run": ""}


def notebook(*sources: str, **metadata: Any) -> NotebookNode:
    """Return a notebook that declares the usual parameters; a cell that begins with «#!» may fail."""
    first = new_code_cell("programme = ''\nchanges = {}\nrun = ''", metadata={"tags": ["parameters"]})
    cells = [
        new_code_cell(source, metadata={"tags": ["raises-exception"]} if source.startswith("#!") else {})
        for source in sources
    ]
    return new_notebook(cells=[new_markdown_cell("# A chapter"), first, *cells], metadata=metadata)


def comparable(executed: NotebookNode) -> list[Any]:
    """Return sources, numbers and outputs without what differs from run to run: addresses, process ids, dates.

    A kernel hands printed text on in pieces that depend on its clock, so pieces of one stream are put together
    as far as the next thing shown. What comes by a descriptor is read by a thread that nobody waits for: there
    only the lines are compared, not where they stand.
    """
    cells = []
    for cell in executed.cells:
        by_descriptor = any(word in cell.source for word in BY_DESCRIPTOR)
        outputs: list[dict[str, Any]] = []
        streams: dict[str, dict[str, Any]] = {}
        for output in cell.get("outputs", []):
            if output["output_type"] != "stream":
                outputs.append(dict(output))
                if not by_descriptor:
                    streams = {}
            elif output["name"] in streams:
                streams[output["name"]]["text"] += output["text"]
            else:
                streams[output["name"]] = dict(output)
                outputs.append(streams[output["name"]])
        if by_descriptor:
            for stream in streams.values():
                stream["text"] = "".join(sorted(stream["text"].splitlines(keepends=True)))
            outputs.sort(key=lambda output: (output["output_type"], output.get("name", "")))
        text = json.dumps([cell.source, cell.get("execution_count"), outputs], sort_keys=True)
        text = re.sub(r"0x[0-9a-f]{6,}", "ADDRESS", text)
        text = re.sub(r"ipykernel_\d+", "PROCESS", text)
        cells.append(json.loads(re.sub(r"<dc:date>.*?</dc:date>", "", text)))
    return cells


# Such a cell waits at its end, so that its text is not counted to the next one.
BY_DESCRIPTOR = ("os.system", "os.write", "subprocess.run")

# Every line is there because some kernel without a front end once showed it in another way.
EDGES: Sequence[str] = (
    "_, __, ___, Out, len(In)",
    "print('a'); import sys; print('e', file=sys.stderr); print('b')",
    "import os, time\nos.system('echo shell'); os.write(1, b'fd1\\n'); os.write(2, b'fd2\\n'); time.sleep(0.5); 4",
    "import subprocess; subprocess.run(['echo', 'child']); time.sleep(0.5)",
    "!echo bang",
    "x = !echo captured\nx",
    "%%bash\necho from bash",
    "from IPython.display import HTML, SVG, Image, Markdown, clear_output, display\nh = display('one', display_id='k')",
    "h.update('two'); display('three', display_id='k'); print('mid')",
    "h.update('four')",
    "for i in range(3):\n    clear_output(wait=True)\n    print(i)",
    "print('gone'); clear_output(); print('kept')",
    "%%capture out\nprint('hidden'); display(1)",
    "out.show(); out.stdout",
    "1 + 1",
    "_ * 10, __, Out[max(Out)], In[-2], _i",
    "5;",
    "%history -n 1-2",
    "import numpy as np, pandas as pd\ndf = pd.DataFrame({'a': [1.5, 2], 'b': ['x', 'y']}); df",
    "df.style.format(precision=1).set_uuid('u')",
    "import matplotlib, matplotlib.pyplot as plt\nplt.plot([1, 2, 3]); plt.title('t')",
    "f, (a, b) = plt.subplots(1, 2); a.plot([1, 2]); f2 = plt.figure(); plt.plot([3, 1]);",
    "plt.plot([1]); plt.show(); print('after'); plt.plot([2]); plt.show()",
    "f, ax = plt.subplots(); plt.close(f); f",
    "%config InlineBackend.figure_formats = ['svg']\nplt.rcParams['svg.hashsalt'] = 's'; plt.plot([1, 2]);",
    "%matplotlib inline\nplt.plot([4, 2]); None",
    "plt.rcParams['figure.figsize'], plt.get_backend(), matplotlib.is_interactive(), plt.get_fignums()",
    'SVG(\'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>\')',
    "Image(data=b'\\x89PNG\\r\\n\\x1a\\n' + b'0' * 30, format='png')",
    "display({'text/plain': 'p', 'text/html': '<b>h</b>'}, raw=True, metadata={'m': 1}); display(Markdown('*y*'))",
    "class R:\n    def _repr_html_(self): return '<p>'\nR(), R()._repr_html_()",
    "R()",
    "import asyncio\nawait asyncio.sleep(0.01)\nprint('awaited'); 3",
    "#!\nasyncio.run(asyncio.sleep(0))",
    "asyncio.get_running_loop().is_running()",
    "async def later(): print('lost, as in a kernel')\ntask = asyncio.create_task(later())",
    "await task; print('done')",
    "import warnings; warnings.warn('careful')",
    "import logging; logging.warning('logged'); logging.getLogger('q').error('err'); logging.getLogger().handlers",
    "#!\n1 / 0",
    "#!\ndef f(n):\n    return f(n - 1) if n else {}['k']\nf(3)",
    "#!\nraise ValueError('a\\nb')",
    "#!\ndef (",
    "#!\ninput('?')",
    "#!\nimport getpass; getpass.getpass()",
    "#!\nclass Bad:\n    def __repr__(self): raise KeyError('in repr')\nBad()",
    "#!\n%nosuchmagic",
    "import inspect\ndef g():\n    return 1\nprint(inspect.getsource(g)); g??",
    "type(get_ipython()), sys.stdout.isatty(), sys.stdout.encoding, sys.stdin.isatty(), os.path.basename(sys.argv[0])",
    "__name__, __doc__, sorted(k for k in globals() if k.startswith('__'))",
    "%who",
    "import threading\nt = threading.Thread(target=lambda: print('from thread')); t.start(); t.join()",
    "from multiprocessing import get_context\nwith get_context('fork').Pool(2) as p: print(p.map(abs, [-1, -2]))",
    "print('no newline', end=''); sys.stdout.write('w\\n')",
    "float('nan'), {1, 2}, {'a': (1, 2)}",
    "os.write(1, 'é☃'.encode()); time.sleep(0.5)",
    "print(1, flush=True); print(2)",
    "from tqdm import tqdm\nlist(tqdm(range(2), bar_format='{n_fmt}/{total_fmt}'))",
    "%timeit -n1 -r1 -q pass",
    "%pwd",
    "os.environ['MPLBACKEND'], os.environ['TERM'], os.environ['PAGER']",
    "len(get_ipython().events.callbacks['post_execute'])",
    "programme, changes, run",
)
