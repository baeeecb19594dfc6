"""Options shared by all tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that writes expected files anew."""
    parser.addoption(
        "--update-generated",
        action="store_true",
        help="write the expected files anew instead of comparing them",
    )


@pytest.fixture
def update_generated(request: pytest.FixtureRequest) -> bool:
    """Tell whether expected files are to be written anew."""
    return request.config.getoption("--update-generated")
