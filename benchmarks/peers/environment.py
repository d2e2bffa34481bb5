"""What benchmarks/training and benchmarks/inference have in common: a built Belfry, and its peers installed."""
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PEERS = ROOT / ".env/peers"  # PyTorch, ONNX Runtime, OpenVINO
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
    print("installing PyTorch, ONNX Runtime and OpenVINO into .env/peers (several GB)", flush=True)
    run("/usr/bin/python3", "-m", "venv", PEERS)
    run(PEERS_PYTHON, "-m", "pip", "install", "-q", *(f"-r{file}" for file in files))
    installed.write_text(pins)


def set_up(program):
    """Installs the peers, and builds `program` of this folder."""
    run("scripts/setup", "--tests")
    install_peers()
    run("cmake", "--preset", "release", "-DBELFRY_BUILD_BENCHMARKS=ON", stdout=subprocess.DEVNULL)
    run("cmake", "--build", "--preset", "release", "--target", program, stdout=subprocess.DEVNULL)
