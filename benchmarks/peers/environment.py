"""What the benchmarks with peers have in common: a built Belfry, its peers installed, and what is said of them."""
import importlib.metadata
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PEERS = ROOT / ".env/peers"  # PyTorch, torchvision, ONNX Runtime, OpenVINO
PEERS_PYTHON = PEERS / "bin/python3"
TENSORFLOW = ROOT / ".env/python"
TENSORFLOW_PYTHON = TENSORFLOW / "bin/python3"
BUILT = ROOT / "build/release/benchmarks"


def run(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, cwd=ROOT, **options)


def install_peers():
    files = [ROOT / "scripts/requirements" / name for name in ("libtorch.txt", "peers.txt")]
    pins, installed = "".join(file.read_text() for file in files), PEERS / ".pins"
    if installed.exists() and installed.read_text() == pins:
        return
    print("installing PyTorch, torchvision, ONNX Runtime and OpenVINO into .env/peers (several GB)", flush=True)
    run("/usr/bin/python3", "-m", "venv", PEERS)
    run(PEERS_PYTHON, "-m", "pip", "install", "-q", *(f"-r{file}" for file in files))
    installed.write_text(pins)


def set_up(program, *cmake_options):
    """Installs the peers, and builds `program` of this folder."""
    run("scripts/setup", "--tests")
    install_peers()
    run("cmake", "--preset", "release", "-DBELFRY_BUILD_BENCHMARKS=ON", *cmake_options, stdout=subprocess.DEVNULL)
    run("cmake", "--build", "--preset", "release", "--target", program, stdout=subprocess.DEVNULL)


def print_environment(details, peers=(), tensorflow=()):
    """The machine, `details`, and the versions of packages in .env/peers and .env/python."""
    with open("/proc/cpuinfo") as info:
        model = next(line.split(":")[1].strip() for line in info if line.startswith("model name"))
    print(f"{model}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the start; {details}")
    for folder, packages in ((PEERS, peers), (TENSORFLOW, tensorflow)):
        path = [str(p) for p in folder.glob("lib/python3*/site-packages")]
        for package in packages:
            version = next(d.version for d in importlib.metadata.distributions(name=package, path=path))
            print(f"{package} {version}", end="; ")
    revision = run("git", "describe", "--always", "--dirty", capture_output=True, text=True).stdout.strip()
    print(f"belfry {revision}")
