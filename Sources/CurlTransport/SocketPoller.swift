internal import CCurl
internal import CLinux

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// What libcurl wants to wait for: sockets, in an epoll set, and a moment. Used by the loop's thread alone.
final class SocketPoller {
    private let descriptor: Int32
    private var known: Set<Int32> = []
    /// In milliseconds of the monotonic clock; nil when libcurl waits for no moment.
    private(set) var deadline: Int64?

    /// Nil when the system has no descriptor left.
    init?(wakeDescriptor: Int32) {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { return nil }
        var event = epoll_event(events: UInt32(EPOLLIN.rawValue), data: epoll_data_t(fd: wakeDescriptor))
        guard epoll_ctl(descriptor, EPOLL_CTL_ADD, wakeDescriptor, &event) == 0 else { return nil }
    }

    deinit { if descriptor >= 0 { _ = closeDescriptor(descriptor) } }

    /// Has libcurl report here. The multi handle must be gone before the poller is.
    func attach(to multi: UnsafeMutableRawPointer) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        _ = ccurl_multi_set_socket(
            multi,
            { _, socket, what, context, _ in
                guard let context else { return -1 }
                Unmanaged<SocketPoller>.fromOpaque(context).takeUnretainedValue().watch(socket, what)
                return 0
            }, context)
        _ = ccurl_multi_set_timer(
            multi,
            { _, milliseconds, context in
                guard let context else { return -1 }
                let poller = Unmanaged<SocketPoller>.fromOpaque(context).takeUnretainedValue()
                poller.deadline = milliseconds < 0 ? nil : monotonicMilliseconds() + Int64(milliseconds)
                return 0
            }, context)
    }

    private func watch(_ socket: Int32, _ what: Int32) {
        if what == CURL_POLL_REMOVE {
            known.remove(socket)
            _ = epoll_ctl(descriptor, EPOLL_CTL_DEL, socket, nil)
            return
        }
        var bits: UInt32 = 0
        if what & CURL_POLL_IN != 0 { bits |= UInt32(EPOLLIN.rawValue) }
        if what & CURL_POLL_OUT != 0 { bits |= UInt32(EPOLLOUT.rawValue) }
        var event = epoll_event(events: bits, data: epoll_data_t(fd: socket))
        let isNew = known.insert(socket).inserted
        if epoll_ctl(descriptor, isNew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event) != 0 {
            // A number that was closed and given out again leaves the set, or stays in it, unseen by us.
            _ = epoll_ctl(descriptor, isNew ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event)
        }
    }

    /// True once when libcurl's moment has come.
    func takeDeadline() -> Bool {
        guard let deadline, monotonicMilliseconds() >= deadline else { return false }
        self.deadline = nil
        return true
    }

    /// Waits until `limit`, libcurl's moment or news; the sockets with news and what they are ready for.
    func wait(until limit: Int64?, into events: inout [epoll_event]) -> ArraySlice<epoll_event> {
        var timeout: Int32 = -1
        if let next = [deadline, limit].compactMap({ $0 }).min() {
            timeout = Int32(clamping: max(0, next - monotonicMilliseconds()))
        }
        let count = epoll_wait(descriptor, &events, Int32(events.count), timeout)
        return events.prefix(Int(max(0, count)))
    }

    /// libcurl's words for what epoll reports.
    static func readiness(_ event: epoll_event) -> Int32 {
        var mask: Int32 = 0
        if event.events & UInt32(EPOLLIN.rawValue) != 0 { mask |= CURL_CSELECT_IN }
        if event.events & UInt32(EPOLLOUT.rawValue) != 0 { mask |= CURL_CSELECT_OUT }
        if event.events & UInt32(EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 { mask |= CURL_CSELECT_ERR }
        return mask
    }
}

func monotonicMilliseconds() -> Int64 {
    var value = timespec()
    clock_gettime(CLOCK_MONOTONIC, &value)
    return Int64(value.tv_sec) * 1000 + Int64(value.tv_nsec) / 1_000_000
}

/// `close`, which types with a method of that name cannot say.
func closeDescriptor(_ descriptor: Int32) -> Int32 { close(descriptor) }
