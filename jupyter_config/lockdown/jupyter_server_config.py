"""The server lockdown profile: no way from a notebook's page around the kernels' sandbox (D6).

`jupyter valet lab` applies it; docs/lockdown.md says what each line closes, what is lost by it, and
how to get it back. It is found by `JUPYTER_CONFIG_PATH`, which wins over every other folder.
"""

c = get_config()  # noqa: F821 - Jupyter's

# A terminal is a shell outside the sandbox, and any output's script can open one (R22, R74).
c.ServerApp.terminals_enabled = False

c.ServerApp.jpserver_extensions = {
    "jupyter_valet": True,
    "jupyter_server_terminals": False,
    # Runs what lies in the project's node_modules (R66).
    "jupyter_lsp": False,
    # Hands the person's cookie to whatever listens on a port (R54).
    "jupyter_server_proxy": False,
    # Runs git, which runs what the repository's own configuration names (R67).
    "jupyterlab_git": False,
}

# `install` runs pip, and with it ./pip.py (R91).
c.LabApp.extension_manager = "readonly"

# A script with the person's login could turn off what protects the next page that is loaded: the
# sanitizer of untrusted outputs, the distrust of HTML files, a plugin (R92).
c.ValetExtension.locked_settings = [
    "@jupyterlab/apputils-extension:sanitizer",
    "@jupyterlab/extensionmanager-extension:plugin",
    "@jupyterlab/htmlviewer-extension:plugin",
]
c.LabApp.lock_all_plugins = True

# A template is a program for the server; the default looks into the working directory (R27, R90).
c.TemplateExporter.extra_template_basedirs = []
c.TemplateExporter.extra_template_paths = []

# Without it any process of the machine reads what kernels print (R34).
c.KernelManager.transport_encryption = "required"

c.ServerApp.allow_unauthenticated_access = False
c.ServerApp.extra_log_scrub_param_keys = ["refresh", "password", "assertion", "sig", "id_hint"]
c.ContentsManager.allow_hidden = False

c.ValetExtension.sandbox = "auto"
