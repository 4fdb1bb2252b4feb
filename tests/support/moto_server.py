"""S3 on loopback: moto's server, in this process."""

import contextlib
import logging

BUCKET = "prunemark-tests"
KEYS = {
    "AWS_ACCESS_KEY_ID": "key-of-the-tests",
    "AWS_SECRET_ACCESS_KEY": "s3cret-of-the-tests",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@contextlib.contextmanager
def moto():
    """Yields its address, the variables that lead there, and a file system of s3fs with one bucket."""
    import s3fs
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        s3 = s3fs.S3FileSystem(
            key=KEYS["AWS_ACCESS_KEY_ID"], secret=KEYS["AWS_SECRET_ACCESS_KEY"], endpoint_url=endpoint,
            client_kwargs={"region_name": KEYS["AWS_DEFAULT_REGION"]}, use_listings_cache=False,
            skip_instance_cache=True,
        )  # fmt: skip
        s3.call_s3("create_bucket", Bucket=BUCKET)  # `mkdir` states the region, which this one must not be
        yield endpoint, KEYS, s3
    finally:
        server.stop()
