"""What is committed: nothing built, nothing big, and no trace of the machine it was made on.

And the package's own order: everything public explained, every room of a size to be read.
"""

import ast
import doctest
import re
import subprocess
import tomllib
from pathlib import Path

import code_size
import mutations
import pytest
import yaml

import a3c_tut

ROOT = Path(__file__).resolve().parents[1]

# Written so that this file does not contain what it looks for.
TRACES = {
    "a path of somebody's machine": r"(?<![\w.:/$}])/(?:work|root|home|tmp|Users)/\w",
    "a package index": r"index-" + r"url|find-" + r"links|files\.python" + r"hosted\.org",
    "a shared folder outside the repository": r"\.\./shared" + r"\b",
}
LARGEST = 600_000


@pytest.fixture(scope="module")
def tracked():
    """What is committed or about to be: everything that .gitignore does not exclude."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git repository")
    names = [name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]
    assert len(names) > 10
    return names


def traces_in(text):
    return [what for what, pattern in TRACES.items() if re.search(pattern, text)]


def test_no_trace_of_a_machine(tracked):
    found = {}
    for name in tracked:
        text = (ROOT / name).read_bytes().decode("utf-8", errors="replace")
        if traces := traces_in(text):
            found[name] = traces
    assert found == {}


def test_files_are_small(tracked):
    sizes = {name: (ROOT / name).stat().st_size for name in tracked}
    assert {name: size for name, size in sizes.items() if size > LARGEST} == {}


def test_nothing_built_is_tracked(tracked):
    built = re.compile(r"(^|/)(_build|\.venv|__pycache__|\.jupyter_cache|.*\.egg-info)/")
    assert [name for name in tracked if built.search(name)] == []


def test_the_version_is_the_same_wherever_it_stands():
    """It is written once for Python: the archives take it from the package."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == a3c_tut.__version__
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert a3c_tut.__version__ in re.search(r"^## (.*)$", changes, re.M)[1]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "a3c_tut.__version__"}


def workflow(name):
    text = (ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8")
    return yaml.load(text, yaml.BaseLoader)  # as it is written: `on` is no boolean


def test_workflows_meet_other_machines_and_keep_no_password():
    jobs = workflow("ci")["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python-version"] == ["3.11", "3.12", "3.13"]
    machines = jobs["machines"]["strategy"]["matrix"]
    assert machines["python-version"] == ["3.11", "3.12", "3.13"]
    families = {"ubuntu-24.04-arm", "macos", "windows", "windows-11-arm"}
    assert {f for f in families if any(m.startswith(f) for m in machines["os"])} == families
    assert workflow("release")["jobs"]["publish"]["permissions"] == {"id-token": "write"}
    assert workflow("weekly")["jobs"]["report"]["permissions"] == {"issues": "write"}
    for path in sorted(ROOT.glob(".github/workflows/*.yml")):
        assert "secrets." not in path.read_text(encoding="utf-8")
        assert workflow(path.stem)["permissions"] == {"contents": "read"}


def test_lock_holds_what_pyproject_asks_for():
    """Every requirement is pinned exactly, and the package itself comes last."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    assert lines.pop() == "-e ."
    assert [line for line in lines if not re.match(r"[a-z0-9._-]+==[\w.+!]+( ;.*)?$", line)] == []
    pinned = {line.split("==")[0] for line in lines}
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    wanted = re.findall(r'^\s*"([A-Za-z0-9_-]+)[><=~]=', project, re.M)
    wanted = {name.lower().replace("_", "-") for name in wanted}
    assert wanted - pinned - {"setuptools"} == set()
    assert pinned.isdisjoint({"torch", "ray", "tensorflow", "jax"})


@pytest.mark.parametrize("text", ["open('/ho" + "me/me/x')", "--extra-index-" + "url x"])
def test_traces_are_seen(text):
    assert traces_in(text)
    assert not traces_in("see https://example.org/home/x, $HOME/home and a relative book/tmp/x")


def public(body, owner=None):
    """Yield every public class and function of a module, and the public methods of its classes."""
    for node in body:
        if isinstance(node, ast.If):  # compiled or interpreted, say: both variants
            yield from public([*node.body, *node.orelse], owner)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield owner, node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, node)


def examples(node):
    """Return the code of a docstring's examples, as doctest finds it; none of it is skipped."""
    found = doctest.DocTestParser().get_examples(ast.get_docstring(node) or "")
    assert not any(doctest.SKIP in example.options for example in found), node.name
    return "".join(example.source for example in found)


def shown(owner, node):
    """Whether there is an example: its own, or, of a method, one in its class that uses it."""
    if examples(node):
        return True
    around = [owner, *owner.body] if owner else []
    documented = [one for one in around if isinstance(one, ast.FunctionDef | ast.ClassDef)]
    return any(re.search(rf"\.{node.name}\b", examples(one)) for one in documented)


def public_names():
    """Yield where each public name stands, the class it belongs to, and its node.

    The exercises are not looked at: what is asked for there is written by the reader.
    """
    sources = [path for path in (ROOT / "a3c_tut").rglob("*.py") if "exercises" not in str(path)]
    assert len(sources) > 20
    for source in sources:
        for owner, node in public(ast.parse(source.read_text(encoding="utf-8")).body):
            name = f"{owner.name}.{node.name}" if owner else node.name
            yield f"{source.relative_to(ROOT)}: {name}", owner, node


def unexplained(node):
    """Return what a function's docstring keeps to itself before its examples.

    Of two or more arguments those that are not named, and "Raises" where the function raises an
    error itself and has no such section. What is raised further down is not looked for.
    """
    before = re.split(r"^Examples\n-", ast.get_docstring(node) or "", flags=re.M)[0]
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    names = [one.arg for one in given if one.arg not in ("self", "cls", "typing_context")]
    missing = [name for name in names if not re.search(rf"\b{name}\b", before)]
    raised = [one for one in ast.walk(node) if isinstance(one, ast.Raise) and one.exc is not None]
    return (missing if len(names) > 1 else []) + (
        ["Raises"] if raised and "Raises\n------" not in before else []
    )


def test_every_public_name_has_an_example():
    """`pytest --doctest-modules a3c_tut` runs them; here is made sure that there are some."""
    assert [name for name, owner, node in public_names() if not shown(owner, node)] == []


def test_every_public_function_explains_its_arguments_and_errors():
    functions = [one for one in public_names() if isinstance(one[2], ast.FunctionDef)]
    found = {name: gaps for name, _, node in functions if (gaps := unexplained(node))}
    assert found == {}


def test_missing_examples_are_seen():
    source = '''
class Pair:
    """Two numbers.

    >>> Pair().first
    1
    """
    def first(self): "The one."
    def second(self): "The other."
def _private(): "Nobody's business."
if True:
    def compiled(): "Fast."
else:
    def compiled():
        """Slow.

        >>> compiled()
        """
'''
    names = [(node.name, shown(owner, node)) for owner, node in public(ast.parse(source).body)]
    assert names == [
        ("Pair", True), ("first", True), ("second", False), ("compiled", False), ("compiled", True)
    ]  # fmt: skip


def test_unexplained_arguments_are_seen():
    source = '''
def divide(over, under):
    """Return `over` divided by something.

    Examples
    --------
    >>> under = 2
    """
    if under == 0:
        raise ZeroDivisionError(under)
    return over / under
'''
    assert unexplained(ast.parse(source).body[0]) == ["under", "Raises"]


def test_every_module_stands_on_one_page_of_the_interface():
    """All but the packages that only gather, and the exercises, which the chapters set."""
    package = ROOT / "a3c_tut"
    says_something = {
        path: len(ast.parse(path.read_text(encoding="utf-8")).body) > 1
        for path in package.rglob("*.py")
    }
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path, something in says_something.items()
        if something or path.name != "__init__.py"
    ]
    modules = {name for name in names if "exercises.pages" not in name} - {"a3c_tut.__init__"}
    modules = {name.removesuffix(".__init__") for name in modules}
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "book").glob("api*.md"))
    assert sorted(re.findall(r"^\.\. automodule:: (\S+)$", pages, re.M)) == sorted(modules)


def test_every_planted_fault_has_its_place():
    """`mutations.py` replaces texts of the package: each has to be there, and once only."""
    for mutation in mutations.MUTATIONS:
        source = (ROOT / "a3c_tut" / mutation.file).read_text(encoding="utf-8")
        assert source.count(mutation.old) == 1, mutation.name
        assert mutation.new != mutation.old, mutation.name


def test_no_room_and_no_function_is_too_long():
    sizes = code_size.sizes(ROOT / "a3c_tut")
    assert len(sizes) > 400
    assert code_size.too_long(sizes) == []


def test_code_is_counted_without_what_explains_it():
    source = '''"""What it is for.

It has two parts.
"""

# A remark.
x = """one
two"""


@staticmethod
def f(
    a,  # the argument
):
    """Return it.

    >>> f(1)
    """

    return a


class C:
    """Of methods."""

    def g(self):
        "Return what is inside."
        def inside():
            return 1
        return inside
'''
    found = code_size.sizes_of(source, "m")
    assert {size.name: size.lines for size in found} == {
        "m": 12, "m.f": 5, "m.C.g": 4, "m.C.g.inside": 2
    }  # fmt: skip


def test_what_is_too_long_is_named():
    long = "def f():\n" + "    x = 1\n" * 60
    assert [size.name for size in code_size.too_long(code_size.sizes_of(long, "m"))] == ["m.f"]
    assert code_size.too_long(code_size.sizes_of(long.replace("    x = 1\n", "", 1), "m")) == []
    assert [size.name for size in code_size.too_long(code_size.sizes_of("x = 1\n" * 501, "m"))] == [
        "m"
    ]
