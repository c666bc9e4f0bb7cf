"""What lies in the working directory is no template for nbconvert: templates are programs (R68).

Every Jupyter command of an environment reads it after `jupyter valet lockdown --install`, and those
of the profile because it lies here. Jupyter reads no configuration from there (CVE-2022-39286);
`_jupyter_valet_lockdown.py` is about modules. docs/lockdown.md says how to use what is in a folder.
"""

import sys
from pathlib import Path

c = get_config()  # noqa: F821 - Jupyter's

# The command line wins over it, as over every configuration file.
c.TemplateExporter.extra_template_basedirs = []

if "nbconvert" in sys.argv[0]:
    found = sorted([*Path().glob("*/index.*.j2"), *Path().glob("*/conf.json")])
    if found and not any("extra_template_basedirs" in word for word in sys.argv):
        sys.stderr.write(
            f"jupyter-valet: {found[0]} is a template of this folder and is not used. "
            "If you trust it, add --TemplateExporter.extra_template_basedirs=.\n"
        )
