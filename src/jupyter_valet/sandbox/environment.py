"""Which environment variables reach a kernel: those on the list, and no other (R02, R53).

The server's environment holds whatever the person's shell had: tokens of clouds, of the Hub, of
model providers. A list of what is harmless is shorter and safer than one of what is not.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

PASSING = (
    # who, where, in which language
    "HOME", "USER", "LOGNAME", "SHELL", "PATH", "PWD", "LANG", "LANGUAGE", "LC_*", "TZ", "TERM",
    "HOSTNAME", "COLUMNS", "LINES", "NO_COLOR", "CLICOLOR*",
    # the interpreter and its environment
    "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_EXE",
    "CONDA_PYTHON_EXE", "CONDA_SHLVL", "PYTHONPATH", "PYTHONHASHSEED", "PYTHONUNBUFFERED",
    "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONWARNINGS", "PYTHONNOUSERSITE", "PYTHONBREAKPOINT",
    "PYTHONMALLOC", "PYTHONOPTIMIZE", "PYTHONDONTWRITEBYTECODE", "PYTHONFAULTHANDLER",
    "LD_LIBRARY_PATH", "R_HOME", "R_LIBS*", "JULIA_*", "JAVA_HOME", "GOPATH", "GOROOT",
    # libraries
    "OMP_*", "MKL_*", "OPENBLAS_*", "BLIS_*", "NUMEXPR_*", "VECLIB_*", "KMP_*", "NUMBA_*",
    "CUDA_*", "NVIDIA_*", "HIP_*", "ROCM_*", "HSA_*", "XLA_*", "TF_*", "NCCL_*", "PYTORCH_*",
    "TORCH_HOME", "TORCHINDUCTOR_*", "HF_HOME", "HF_HUB_OFFLINE", "HF_DATASETS_CACHE",
    "HF_HUB_CACHE", "TRANSFORMERS_CACHE", "MPLBACKEND", "GDAL_DATA", "PROJ_LIB", "PROJ_DATA",
    "SPARK_HOME", "HADOOP_HOME", "HADOOP_CONF_DIR", "POLARS_*", "RAY_*", "DASK_*",
    # where caches and trust are
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NO_PROXY", "no_proxy",
    # what Jupyter tells a kernel
    "JPY_SESSION_NAME", "JPY_PARENT_PID", "KERNEL_*", "PYDEVD_*", "JUPYTER_PLATFORM_DIRS",
    "JUPYTER_VALET_URL", "JUPYTER_VALET_CAPABILITY",
    # where the server is, on a JupyterHub
    "JUPYTERHUB_USER", "JUPYTERHUB_SERVER_NAME", "JUPYTERHUB_BASE_URL", "JUPYTERHUB_HOST",
    "JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_SERVICE_URL", "JUPYTERHUB_PUBLIC_URL",
)  # fmt: skip
"""Names and glob patterns."""

SECRET_WORDS = ("TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "API_KEY", "APIKEY",
                "ACCESS_KEY", "PRIVATE_KEY")  # fmt: skip
"""A pattern never passes a name with one of these in it; a name in full does."""

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy")
"""Pass when no login is in them."""


def for_kernel(
    environ: Mapping[str, str], *, own: Iterable[str] = (), opened: Iterable[str] = ()
) -> dict[str, str]:
    """Return what passes of `environ`.

    `own` are the names that the kernelspec sets itself, `opened` those that the person opened.
    """
    named = {*own, *opened}
    return {name: value for name, value in environ.items() if name in named or _passes(name, value)}


def _passes(name: str, value: str) -> bool:
    if name in PASSING:
        return True
    if name.lower() in PROXIES:
        return _has_no_login(value)
    if any(word in name.upper() for word in SECRET_WORDS):
        return False
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in PASSING)


def _has_no_login(url: str) -> bool:
    try:
        return "@" not in urlsplit(url).netloc
    except ValueError:
        return False
