# Two commands matter: `make demo` shows what Hindsight does, `make test` proves it.
.PHONY: demo test bench lint cross deb image image-test help

help:
	@echo "make demo    a built-in camera, a live ring, ENTER presses the button"
	@echo "make test    install what the tests need, run them all, name the ten slowest"
	@echo "make bench   speed and memory, side by side with the alternatives"
	@echo "make lint    format, clippy and rustdoc with warnings as errors, the rules of the house"
	@echo "make cross   build for a Raspberry Pi, 64 and 32 bits (ARCHITECTURE=arm64: one of them)"
	@echo "make deb     Debian packages, for a 64-bit Raspberry Pi and for PCs (ARCHITECTURE=armhf: another)"
	@echo "make image   the SD card for a venue, in target/image (as root; about 30 minutes, the second time 5)"
	@echo "make image-test   boots that card in QEMU and breaks it (as root; about an hour)"

demo:
	@tests/install --ffmpeg
	cargo run --profile demo -- demo

test:
	tests/install
	tests/run

bench:
	tests/install
	benches/run

lint:
	cargo fmt --all --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --document-private-items --lib
	cargo test --quiet --test rules

# For cross, which does the same in a container: `cross build --release --target aarch64-unknown-linux-gnu`.
export CROSS_CONFIG = cross.toml
# Exit code 3: it cannot be had on this machine, and that has been said.
cross:
	for architecture in $(or $(ARCHITECTURE),arm64 armhf); do packaging/cross $$architecture || [ $$? = 3 ] || exit 1; done

deb:
	for architecture in $(or $(ARCHITECTURE),arm64 amd64); do packaging/deb $$architecture || [ $$? = 3 ] || exit 1; done

image:
	image/build

image-test:
	image/test/run
