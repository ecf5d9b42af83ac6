import ArgumentParser
import LocalCluster
import OpenSSL

@main
enum Main {
    static func main() async {
        // A container's process starts as this program again. It enters namespaces, which only a process with one
        // thread may, so this comes before anything makes another.
        NodeExec.runIfCalled(CommandLine.arguments)
        OpenSSLLibrary.staysUntilTheProcessEnds()
        await AssayCommand.main()
    }
}
