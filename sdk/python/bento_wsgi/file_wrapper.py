"""wsgi.file_wrapper: sends a file by sendfile() where it is one, and otherwise block by block."""
import errno
import io
import os
import stat
import tempfile

_LARGEST_SEND = 1 << 30
_LARGEST_READ = 1 << 18


class FileWrapper:
    def __init__(self, filelike, block_size=1 << 16):
        self.filelike = filelike
        self.block_size = block_size
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self):
        return iter(lambda: self.filelike.read(self.block_size), b"")

    def region(self):
        """(descriptor, offset, size) of what is left of a regular file; None for everything else.

        Only of Python's own files: that an object has a fileno() does not say that its bytes are those of the
        descriptor (gzip.GzipFile).
        """
        file = self.filelike
        if isinstance(file, tempfile._TemporaryFileWrapper):
            file = file.file
        if type(file) not in (io.BufferedReader, io.BufferedRandom, io.FileIO):
            return None
        if type(file) is not io.FileIO and type(file.raw) is not io.FileIO:
            return None
        try:
            offset = file.tell()
            found = os.fstat(file.fileno())
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        return file.fileno(), offset, max(0, found.st_size - offset)

    @staticmethod
    def send(sock, descriptor, offset, size):
        """How many bytes were sent: fewer than `size` when the file has become shorter meanwhile."""
        sent = 0
        while sent < size:
            try:
                step = os.sendfile(sock.fileno(), descriptor, offset + sent, min(size - sent, _LARGEST_SEND))
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOSYS):  # file systems that cannot
                    raise
                data = os.pread(descriptor, min(size - sent, _LARGEST_READ), offset + sent)
                sock.sendall(data)
                step = len(data)
            if step == 0:
                break
            sent += step
        return sent
