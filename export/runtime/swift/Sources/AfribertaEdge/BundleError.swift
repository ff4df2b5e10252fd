import Foundation

/// What is wrong with a bundle and what to do next.
public struct BundleError: Error, LocalizedError, CustomStringConvertible, Sendable {
    public enum Code: String, Sendable {
        /// A file cannot be read.
        case missing
        /// It has another size than the manifest says.
        case incomplete
        /// It has another digest than the manifest says.
        case changed
        /// It cannot be used.
        case damaged
        /// The manifest is of another version.
        case schema
        /// This device or this onnxruntime cannot run it.
        case unsupported
    }

    public let code: Code
    /// For people; ends with `remedy`.
    public let message: String
    public let remedy: String

    public init(_ code: Code, _ message: String, remedy: String) {
        self.code = code
        self.message = "\(message) \(remedy)"
        self.remedy = remedy
    }

    public var description: String { message }
    public var errorDescription: String? { message }

    /// What `error` says, without the full stop that most of the system's messages have and ours add.
    public static func reason(_ error: Error) -> String {
        let text = error.localizedDescription
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }

    /// The error for a file that is there and cannot be used.
    public static func damaged(_ file: String, _ reason: String) -> BundleError {
        BundleError(.damaged, "\(file) cannot be used: \(reason).", remedy: "Copy or download the bundle again.")
    }
}

/// Why a part of a file cannot be used; whoever reads the file turns it into a `BundleError` that names it.
struct Unusable: Error {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }

    /// `body`, with what it throws told about `file`.
    static func told<Result>(of file: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as Unusable {
            throw BundleError.damaged(file, error.reason)
        }
    }
}
