//! The table of languages.

use std::process::Command;

use super::install::{Run, command};
use super::{Language, Places, Sources};
use crate::harness::example;

/// All of them.
pub const LANGUAGES: [&Language; 5] = [&PYTHON, &NODE, &GO, &JAVA, &RUST];

/// The client stands on that in C.
pub static PYTHON: Language = Language {
    name: "python",
    needs: &[("python3", &["-m", "pip", "--version"])],
    changes_with: Sources::List("requirements.txt"),
    install: |places| {
        command("python3", ["-m", "pip", "install", "--quiet", "--upgrade", "--target"])
            .arg(places.folder.join("packages"))
            .arg("--requirement")
            .arg(places.source.join("requirements.txt"))
            .run()
    },
    checks: |places| Ok(python(places, "client.py")),
    load: |places| Ok(python(places, "cluster_load.py")),
};

/// This one, too.
pub static NODE: Language = Language {
    name: "node",
    needs: &[("node", &["--version"]), ("npm", &["--version"])],
    changes_with: Sources::List("package.json"),
    install: |places| {
        std::fs::copy(places.source.join("package.json"), places.folder.join("package.json"))?;
        // The package carries its native parts; its install script would only look for them.
        command("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])
            .current_dir(&places.folder)
            .run()
    },
    checks: |places| Ok(node(places, "client.js")),
    load: |places| Ok(node(places, "cluster_load.js")),
};

/// Two programs in one module.
pub static GO: Language = Language {
    name: "go",
    needs: &[("go", &["version"])],
    changes_with: Sources::All,
    install: |places| {
        for (program, package) in [("client", "."), ("load", "./load")] {
            command("go", ["build", "-o"])
                .arg(places.folder.join(program))
                .arg(package)
                .current_dir(&places.source)
                .run()?;
        }
        Ok(())
    },
    checks: |places| Ok(Command::new(places.folder.join("client"))),
    load: |places| Ok(Command::new(places.folder.join("load"))),
};

/// Two main classes.
pub static JAVA: Language = Language {
    name: "java",
    needs: &[("java", &["-version"]), ("mvn", &["-version"])],
    changes_with: Sources::All,
    install: |places| {
        let folder = places.folder.display();
        command("mvn", ["-q", "-B", "-f"])
            .arg(places.source.join("pom.xml"))
            .arg(format!("-Dbolide.folder={folder}"))
            .args(["package", "dependency:copy-dependencies"])
            .arg(format!("-DoutputDirectory={folder}/lib"))
            .run()
    },
    checks: |places| Ok(java(places, "bolide.ClientTest")),
    load: |places| Ok(java(places, "bolide.ClusterLoad")),
};

/// Examples of this package, because the client is a dependency of its.
pub static RUST: Language = Language {
    name: "rust",
    needs: &[],
    changes_with: Sources::Cargo,
    install: |_| Ok(()),
    checks: |_| Ok(Command::new(example("rust_client")?)),
    load: |_| Ok(Command::new(example("rust_load")?)),
};

fn python(places: &Places, program: &str) -> Command {
    let mut command = command("python3", ["-W", "ignore::DeprecationWarning"]);
    command.arg(places.source.join(program));
    command.env("PYTHONPATH", places.folder.join("packages")).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn node(places: &Places, program: &str) -> Command {
    let mut command = command("node", [places.source.join(program)]);
    command.env("NODE_PATH", places.folder.join("node_modules"));
    command
}

fn java(places: &Places, class: &str) -> Command {
    let folder = places.folder.display();
    command("java", ["-cp", &format!("{folder}/classes:{folder}/lib/*"), class])
}
