internal import COpenSSL

/// The library as a whole.
public enum OpenSSLLibrary {
    /// Has it leave its own memory alone when the process ends.
    ///
    /// OpenSSL registers a function with `atexit` that frees all it has. A thread that is in the midst of a connection by then,
    /// as libcurl's is, frees the same once more, and a process that had done its work is killed by a signal. To be called
    /// before anything else of OpenSSL, since the first use registers it (OPENSSL_init_crypto(3)).
    public static func staysUntilTheProcessEnds() {
        OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil)
    }
}
