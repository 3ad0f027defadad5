"""An environment in the words of pip, with what a worker needs in it, and in those of an image."""

from __future__ import annotations

from penstock.environments import layer
from penstock.environments.export import export
from penstock.environments.lock import Locked, Pins


def test_what_pip_is_to_fetch_is_for_one_python_and_has_each_package_once() -> None:
    pip = "alpha==1.0 \\\n    --hash=sha256:aa\nmsgspec==0.19.0 \\\n    --hash=sha256:bb\n"
    locked = Locked(kind="requirements", digest="", python="3.9", pip=pip, platforms={"linux-64": Pins()})
    text = export("torch", locked, Pins(), {}, "requirements")
    assert text == f"{pip}{layer.pins('3.9')['pyzmq']}\n"
    assert ";" not in text
    assert layer.pins("3.9")["msgspec"] != layer.pins("3.13")["msgspec"]


def test_an_image_has_the_folders_that_packages_are_taken_from() -> None:
    pip = "--find-links wheels\nalpha==1.0\n"
    locked = Locked(kind="requirements", digest="", python="3.9", pip=pip, platforms={"linux-64": Pins()})
    lines = export("torch", locked, Pins(), {}, "dockerfile").splitlines()
    assert lines[-2:] == ["COPY . /app/", "RUN penstock env build --frozen torch"]
