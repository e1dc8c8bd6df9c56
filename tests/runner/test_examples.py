"""The examples for phones, as far as a desktop can check them: the native code for Kotlin, the C header for Swift."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_ptf.runtime import Runner
from edge_ptf.runtime.native import Library

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "cpp_runner" / "examples"
INCLUDE = ROOT / "cpp_runner" / "include"
ANDROID = EXAMPLES / "android" / "app" / "src" / "main"
NATIVES = ANDROID / "cpp" / "edge_ptf_jni.cpp"
KOTLIN = ANDROID / "kotlin" / "edgeptf" / "Runner.kt"
JAVA = Path(__file__).parent / "jni" / "edgeptf" / "Runner.java"
OFFSET = 4 * 1001
"""Of an asset within an app: a multiple of four, and of nothing larger."""
TEXTS = ["turn on the lights", "naïve 中 😀 play the lights", "", "a\u0301 b"]


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def java(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[str]]:
    """`java(package, *texts)`: the output lines of tests/runner/jni/edgeptf/Runner.java."""
    compiler = shutil.which("javac")
    if compiler is None:
        pytest.skip("no Java development kit (javac) is installed")
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    headers = Path(compiler).resolve().parents[1] / "include"
    if not (headers / "jni.h").exists():
        pytest.skip(f"{headers} has no jni.h")
    built = tmp_path_factory.mktemp("jni")
    folder = library.path.resolve().parent
    found = run(
        *("g++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-shared", "-fPIC", NATIVES),
        *("-I", INCLUDE, "-I", headers, "-I", headers / "linux", "-o", built / "libedge_ptf_jni.so"),
        *(library.path.resolve(), f"-Wl,-rpath,{folder}"),
    )
    assert found.returncode == 0, found.stderr
    found = run(compiler, "-encoding", "UTF-8", "-Xlint:all", "-Werror", "-d", built, JAVA)
    assert found.returncode == 0, found.stderr

    def answer(package: Path, *texts: str) -> list[str]:
        app = built / "app"
        app.write_bytes(bytes(OFFSET) + package.read_bytes() + bytes(100))
        place = (OFFSET, package.stat().st_size)
        found = subprocess.run(
            [
                *(Path(compiler).with_name("java"), "-Xcheck:jni", f"-Djava.library.path={built}", "-cp", built),
                *("edgeptf.Runner", app, *map(str, place), *texts),
            ],
            capture_output=True,
            check=False,
            timeout=120,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        assert found.returncode == 0, found.stderr.decode()
        assert b"WARNING in native" not in found.stdout, found.stdout.decode()
        return found.stdout.decode().splitlines()

    return answer


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text-classification", "token-classification"])
def test_java_answers_as_python_does(
    java: Callable[..., list[str]], make_payload: Callable[..., Any], kind: str
) -> None:
    payload = make_payload("bert", kind)
    python, wanted = Runner(payload), []
    for text in TEXTS:
        answer = python.answer(text)
        items = [f"{item['type']}={item['text']}={item['score']:.6f}" for item in answer.details.get("entities", [])]
        if isinstance(answer.label, str):
            items = [f"{answer.label}={answer.score:.6f}"]
        wanted.append(f"{answer.score:.6f}\tfalse\t{', '.join(items)}")
    assert java(payload.path, *TEXTS)[3:] == wanted


@pytest.mark.slow
def test_what_is_refused_becomes_an_exception(java: Callable[..., list[str]], make_payload: Callable[..., Any]) -> None:
    heap, incomplete, threads = java(make_payload().path)
    assert heap == "the package is not in a direct buffer: map its file"
    assert "package" in incomplete
    assert threads.startswith("threads: 1000 is not between")


def test_kotlin_java_and_the_natives_name_the_same_functions() -> None:
    types = {
        **{"Long": "long", "Int": "int", "Double": "double", "Boolean": "boolean", "ByteArray": "byte[]"},
        **{"ByteBuffer": "ByteBuffer", "": "void"},
    }
    jni = {"long": "jlong", "int": "jint", "double": "jdouble", "boolean": "jboolean", "byte[]": "jbyteArray"}
    jni |= {"ByteBuffer": "jobject", "void": "void"}
    java = {
        name: (result, *(each.rsplit(" ", 1)[0] for each in arguments.split(", ")))
        for result, name, arguments in re.findall(r"private native (\S+) (\w+)\((.*)\);", JAVA.read_text("utf-8"))
    }
    kotlin = {
        name: (types[result], *(types[each.split(": ")[1]] for each in arguments.split(", ")))
        for name, arguments, result in re.findall(
            r"external fun (\w+)\((.*)\)(?:: (\w+)\??)?$", KOTLIN.read_text("utf-8"), re.MULTILINE
        )
    }
    natives = {
        name: (result, *(each.split(" ")[0] for each in arguments.split(", ")))
        for result, name, arguments in re.findall(
            r"JNIEXPORT (\w+) JNICALL Java_edgeptf_Runner_(\w+)\(JNIEnv\*(?: env)?, jobject, ([^)]*)\)",
            NATIVES.read_text("utf-8"),
        )
    }
    assert len(java) == 10
    assert kotlin == java
    assert natives == {name: tuple(jni[each] for each in signature) for name, signature in java.items()}


def test_swift_sees_the_c_header_as_a_module(tmp_path: Path) -> None:
    if shutil.which("clang") is None:
        pytest.skip("clang is not installed")
    module = EXAMPLES / "ios" / "CEdgePtf"
    names = set(re.findall(r"edge_ptf_\w+(?=\()", (EXAMPLES / "ios/Sources/EdgePtf/Runner.swift").read_text("utf-8")))
    names -= {"edge_ptf_options", "edge_ptf_item"}  # structures made from nothing
    source = tmp_path / "use.m"
    uses = "\n".join(f"void *use_{name} = (void *)&{name};" for name in sorted(names))
    source.write_text(f"@import CEdgePtf;\nedge_ptf_options options;\nedge_ptf_item item;\n{uses}\n", "utf-8")
    found = run(
        *("clang", "-x", "objective-c", "-fsyntax-only", "-fmodules", f"-fmodules-cache-path={tmp_path}"),
        *("-Wall", "-Werror", "-I", module, source),
    )
    assert found.returncode == 0, found.stderr
    assert len(names) == 9
