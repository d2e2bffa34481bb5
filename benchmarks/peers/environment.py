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
KERAS = ROOT / ".env/keras"  # apart, since it wants newer versions of what the others have
KERAS_PYTHON = KERAS / "bin/python3"
BUILT = ROOT / "build/release/benchmarks"


def run(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, cwd=ROOT, **options)


def install(folder, what, *names):
    """`what` into a virtual environment, by the files of these names."""
    files = [ROOT / "scripts/requirements" / name for name in names]
    pins, installed = "".join(file.read_text() for file in files), folder / ".pins"
    if installed.exists() and installed.read_text() == pins:
        return
    print(f"installing {what} into {folder.relative_to(ROOT)}", flush=True)
    run("/usr/bin/python3", "-m", "venv", folder)
    run(folder / "bin/python3", "-m", "pip", "install", "-q", *(f"-r{file}" for file in files))
    installed.write_text(pins)


def install_peers():
    install(PEERS, "PyTorch, torchvision, ONNX Runtime and OpenVINO (several GB)", "libtorch.txt", "peers.txt")


def install_keras():
    """False where it cannot be: JAX has no wheels for every system."""
    try:
        install(KERAS, "Keras and JAX (700 MB)", "keras.txt")
        return True
    except (OSError, subprocess.CalledProcessError):
        return False


def set_up(program, *cmake_options):
    """Installs the peers, and builds `program` of this folder."""
    run("scripts/setup", "--tests")
    install_peers()
    run("cmake", "--preset", "release", "-DBELFRY_BUILD_BENCHMARKS=ON", *cmake_options, stdout=subprocess.DEVNULL)
    run("cmake", "--build", "--preset", "release", "--target", program, stdout=subprocess.DEVNULL)


def print_environment(details, peers=(), tensorflow=(), keras=()):
    """The machine, `details`, and the versions of packages in .env/peers, .env/python and .env/keras."""
    with open("/proc/cpuinfo") as info:
        model = next(line.split(":")[1].strip() for line in info if line.startswith("model name"))
    print(f"{model}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the start; {details}")
    for folder, packages in ((PEERS, peers), (TENSORFLOW, tensorflow), (KERAS, keras)):
        path = [str(p) for p in folder.glob("lib/python3*/site-packages")]
        for package in packages:
            version = next((d.version for d in importlib.metadata.distributions(name=package, path=path)), "missing")
            print(f"{package} {version}", end="; ")
    revision = run("git", "describe", "--always", "--dirty", capture_output=True, text=True).stdout.strip()
    print(f"belfry {revision}")
