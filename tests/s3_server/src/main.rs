//! A real S3 server that checks signatures, on a folder: `s3_server FOLDER KEY SECRET [plain]`.
//!
//! Buckets are folders in FOLDER. It prints `http://127.0.0.1:PORT` and runs until its
//! standard input ends, so that none outlives a test. `plain` is `s3s-fs` as it comes, which
//! copies parts together; without, uploads in parts are kept as large servers do (`parts`).

mod parts;

use std::path::Path;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::S3;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

fn service(files: impl S3, key: String, secret: String) -> S3Service {
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(key, secret));
    builder.build()
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(key), Some(secret)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("s3_server FOLDER KEY SECRET [plain]".into());
    };
    let folder = Path::new(&folder);
    let service = match arguments.next().as_deref() {
        Some("plain") => {
            let files = FileSystem::new(folder).map_err(|error| format!("{error:?}"))?;
            service(files, key, secret)
        }
        _ => service(parts::Parts::new(folder)?, key, secret),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            let server = Builder::new(TokioExecutor::new());
            // A client that breaks off is no error of the server.
            let _ = server.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}
