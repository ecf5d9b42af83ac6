import ArgumentParser
import ControllerRuntime
import Logging

struct LogOptions: ParsableArguments {
    @Option(help: "The least severe messages that are written: trace, debug, info, notice, warning, error, critical.")
    var logLevel: Logger.Level = .info

    @Option(help: "How messages are written: text or json.")
    var logFormat: StructuredLogHandler.Format = .text

    func logger(_ label: String) -> Logger {
        Logger(label: label) { label in StructuredLogHandler(label: label, format: logFormat, level: logLevel) }
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
extension StructuredLogHandler.Format: ExpressibleByArgument {}
