// SPDX-License-Identifier: Apache-2.0
//
// Makes Rust of the schemas, below $SCHEMAS: for both of the library's kinds, streams for one of them.

use std::{env, fs, path::Path};
use ttrpc_codegen::{Codegen, Customize, ProtobufCustomize};

// Returns the declaration of the module; what is generated can't be included, only be a file of its own.
fn generate(kind: &str, schemas: &[&str]) -> String {
    let root = env::var("SCHEMAS").expect("SCHEMAS is not set");
    let folder = Path::new(&env::var("OUT_DIR").unwrap()).join(kind);
    fs::create_dir_all(&folder).unwrap();
    let paths: Vec<_> = schemas.iter().map(|name| Path::new(&root).join(name)).collect();
    for path in &paths {
        println!("cargo:rerun-if-changed={}", path.display());
    }
    Codegen::new()
        .out_dir(&folder)
        .inputs(&paths)
        .include(&root)
        .rust_protobuf()
        .customize(Customize {
            async_all: kind == "asynchronous",
            gen_mod: true,
            ..Default::default()
        })
        .rust_protobuf_customize(ProtobufCustomize::default().gen_mod_rs(true))
        .run()
        .expect("no code was generated");
    format!("#[path = {:?}]\npub mod {kind};\n", folder.join("mod.rs"))
}

fn main() {
    println!("cargo:rerun-if-env-changed=SCHEMAS");
    let mut modules = generate("synchronous", &["test/interop/probe.proto"]);
    modules += &generate(
        "asynchronous",
        &[
            "test/interop/probe.proto",
            "test/interop/flow.proto",
            "test/interop/streaming.proto",
            "proto/google/protobuf/empty.proto",
        ],
    );
    fs::write(Path::new(&env::var("OUT_DIR").unwrap()).join("modules.rs"), modules).unwrap();
}
