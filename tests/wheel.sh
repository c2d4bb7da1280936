#!/bin/sh
# Build the wheel, look at what is in it, install it into an environment of its own and run the tests against it there.
# Usage: tests/wheel.sh PYTHON-WITH-BUILD
set -eu
python=$1
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m build --wheel --outdir "$work/dist" "$root" >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
"$(dirname "$python")/check-wheel-contents" --toplevel neuralsorter "$work"/dist/*.whl

"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check -c "$root/constraints.txt" \
    "$(ls "$work"/dist/*.whl)[test]"

# The tests move away from the checkout, so that only the installed package can be imported.
mkdir "$work/away"
cp -r "$root/tests" "$work/away/tests"
cp -r "$root/docs" "$root/benchmarks" "$root/pyproject.toml" "$work/away/"
ln -s "$root/../shared" "$work/shared" 2>/dev/null || true
cd "$work/away"
"$work/venv/bin/python" -c "import neuralsorter, pathlib; assert 'site-packages' in neuralsorter.__file__, neuralsorter.__file__"
"$work/venv/bin/python" -m pytest -q -m "not slow and not browser and not checkout"
