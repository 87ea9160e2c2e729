// SPDX-License-Identifier: Apache-2.0
// The stubs are made twice, into the folder of the copy: blocking ones, which know no streams, and
// asynchronous ones.
use std::fs;
use ttrpc_codegen::{Codegen, Customize, ProtobufCustomize};

fn generate(name: &str, inputs: &[&str], async_all: bool) {
    fs::create_dir_all(name).unwrap();
    Codegen::new()
        .out_dir(name)
        .include(".")
        .inputs(inputs)
        .rust_protobuf()
        .rust_protobuf_customize(ProtobufCustomize::default().gen_mod_rs(true))
        .customize(Customize {
            async_all,
            gen_mod: true,
            ..Default::default()
        })
        .run()
        .unwrap();
}

fn main() {
    let bench = "test/bench-ttrpc/bench.proto";
    generate("blocking", &[bench], false);
    generate(
        "asynchronous",
        &[bench, "test/bench-ttrpc/talk.proto"],
        true,
    );
}
