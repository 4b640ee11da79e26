import pytest
from plausible_bundles import CASES, Exported


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """Return a function that trains and exports a case once and gives it back."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = Exported(name, tmp_path_factory.mktemp("run") / "best")
        return made[name]

    return get


@pytest.fixture(params=CASES)
def each(request, exported):
    """Every exported case in turn."""
    return exported(request.param)
