"""Well-known places, as tables: what is hidden from kernels, and what they may not change.

A path without a leading slash is below the home folder. Places that do not exist cost nothing.
"""

from __future__ import annotations

CREDENTIALS = (
    # keys and logins
    ".ssh", ".gnupg", ".pki", ".netrc", ".authinfo", ".authinfo.gpg", ".git-credentials",
    ".config/git/credentials", ".password-store", ".age", ".config/sops", ".krb5",
    # clouds and clusters
    ".aws", ".azure", ".oci", ".bluemix", ".boto", ".s3cfg", ".kube", ".docker", ".config/gcloud",
    ".config/containers", ".config/doctl", ".config/hcloud", ".config/heroku", ".config/rclone",
    ".config/scw", ".config/openstack", ".config/flyctl", ".fly", ".config/ngrok", ".ngrok2",
    ".modal.toml", ".terraformrc", ".terraform.d", ".vault-token", ".config/linode-cli",
    # forges and package registries
    ".config/gh", ".config/glab-cli", ".config/hub", ".pypirc", ".npmrc", ".yarnrc", ".yarnrc.yml",
    ".cargo/credentials", ".cargo/credentials.toml", ".gem/credentials", ".m2/settings.xml",
    ".m2/settings-security.xml", ".gradle/gradle.properties", ".condarc", ".config/pip",
    ".config/pypoetry", ".config/uv", ".nuget", ".config/composer",
    # data and models
    ".databrickscfg", ".snowflake", ".snowsql", ".dbt", ".pgpass", ".my.cnf", ".mylogin.cnf",
    ".kaggle", ".config/kaggle", ".cache/huggingface/token", ".cache/huggingface/stored_tokens",
    ".huggingface", ".config/wandb", ".neptune_tokens", ".comet.config", ".config/dagster",
    # agents and model providers
    ".claude", ".claude.json", ".codex", ".gemini", ".config/openai", ".config/anthropic",
    ".config/github-copilot", ".cursor", ".config/goose", ".aider.conf.yml",
    # password managers, keyrings, and the sessions of desktop programs
    ".local/share/keyrings", ".local/share/python_keyring", ".local/share/kwalletd",
    ".config/python_keyring", ".config/keepassxc", ".config/Bitwarden", ".config/1Password",
    ".config/op", ".op", ".config/Signal", ".config/Slack", ".config/discord", ".thunderbird",
    ".config/Code", ".config/VSCodium", ".config/Cursor", ".vscode-server", ".Xauthority",
    ".ICEauthority",
    # browsers
    ".mozilla", ".config/google-chrome", ".config/chromium", ".config/BraveSoftware",
    ".config/microsoft-edge", ".config/vivaldi", ".config/opera", ".cache/mozilla",
    ".cache/google-chrome", ".cache/chromium", ".var/app", "snap/firefox", "snap/chromium",
    # what was typed
    ".bash_history", ".zsh_history", ".zhistory", ".local/share/fish", ".local/share/atuin",
    ".python_history", ".psql_history", ".mysql_history", ".sqlite_history", ".rediscli_history",
    ".node_repl_history", ".lesshst", ".viminfo",
    ".ipython/profile_default/history.sqlite", ".ipython/profile_default/security",
    # Jupyter's own: configuration with password hashes, the key that signs notebooks (R35, R36)
    ".jupyter", ".local/share/jupyter", ".local/state/jupyter", ".jupyterhub",
)  # fmt: skip
"""Hidden in the home folder."""

SYSTEM_CREDENTIALS = (
    "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers",
    "/etc/sudoers.d", "/etc/ssl/private", "/etc/krb5.keytab", "/etc/wireguard",
    "/etc/NetworkManager/system-connections", "/etc/kubernetes", "/etc/rancher",
    "/etc/jupyterhub", "/srv/jupyterhub",
    "/etc/docker", "/var/lib/docker", "/var/lib/containerd", "/var/lib/kubelet", "/var/lib/sss",
    "/var/spool/cron", "/var/mail",
    "/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_ed25519_key",
    "/boot", "/lost+found",
    # sockets and secrets of the session, of services and of a cluster
    "/run/user", "/run/secrets", "/run/credentials", "/var/run/secrets",
)  # fmt: skip
"""Hidden wherever a kernel runs; much of it matters only to root."""

SHARED_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108
"""Hidden: what other programs unpack, build and keep there is theirs. `TMPDIR` is the kernel's."""

DEVICES = (
    "null", "zero", "full", "random", "urandom", "shm", "dri", "kfd", "nvidia*", "infiniband",
)  # fmt: skip
"""What a kernel gets of /dev, glob patterns. No /dev/pts: there passwords are typed (R37)."""

NOT_WRITABLE_IN_HOME = (".*", "bin", "snap")
"""Never written to, even when the whole home folder is the project: shell start-up files, programs
on the path, configuration that other programs run (R29 to R32, R69, R70). Glob patterns."""

GUARDED_IN_PROJECT = (".git/config", ".git/hooks", ".git/info/attributes", ".envrc", ".vscode")
"""Run by the person's own tools later (R67). Read-only where the back end can: Landlock cannot
without forbidding new files beside them."""
