#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// A value guarded by a mutex.
///
/// `Synchronization.Mutex` gives false reports under the thread sanitizer, which understands pthread's mutex. Never hold
/// the lock across an await, a continuation's body or a callback.
public final class Locked<Value: ~Copyable>: @unchecked Sendable {  // Safe: `value` is touched only under `mutex`.
    @usableFromInline let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    @usableFromInline var value: Value

    public init(_ value: consuming sending Value) {
        pthread_mutex_init(mutex, nil)
        self.value = value
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    @inlinable public func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}
