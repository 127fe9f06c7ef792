// A WASI command in Rust that queries the database as the caller and answers HTTP. It needs no crates.
//   rustc --target wasm32-wasi -O -C strip=symbols -o users.wasm users.rs && pgfn deploy users-rust --wasm users.wasm
// (newer compilers call the target wasm32-wasip1)
use std::io::{self, Read, Write};

mod aerodb {
    #[link(wasm_import_module = "aerodb")]
    extern "C" {
        fn db_query(sql: *const u8, sql_length: usize, parameters: *const u8, parameters_length: usize) -> i32;
        fn result_len() -> usize;
        fn result_read(offset: usize, buffer: *mut u8, length: usize) -> i32;
    }

    /// Runs a statement with $1, $2 ...; the parameters are a JSON array. Both results are JSON.
    pub fn query(sql: &str, parameters: &str) -> Result<String, String> {
        let status = unsafe { db_query(sql.as_ptr(), sql.len(), parameters.as_ptr(), parameters.len()) };
        let mut result = vec![0; unsafe { result_len() }];
        unsafe { result_read(0, result.as_mut_ptr(), result.len()) };
        let json = String::from_utf8_lossy(&result).into_owned();
        if status == 0 { Ok(json) } else { Err(json) }
    }
}

fn main() -> io::Result<()> {
    let mut event = String::new();
    io::stdin().read_to_string(&mut event)?;
    eprintln!("{} got {} bytes", std::env::args().next().unwrap_or_default(), event.len());
    let answer = match aerodb::query("select id, email from examples.users order by email limit $1", "[20]") {
        Ok(users) => format!(r#"{{"statusCode":200,"headers":{{"x-language":"Rust"}},"body":{}}}"#, users),
        Err(error) => {
            eprintln!("{}", error);
            r#"{"statusCode":503,"body":{"error":"The users can't be read just now."}}"#.to_string()
        }
    };
    io::stdout().write_all(answer.as_bytes())
}
