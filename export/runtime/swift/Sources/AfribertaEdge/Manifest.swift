import Foundation

/// manifest.json, as far as this runtime reads it; manifest.schema.json has all of it.
public struct Manifest: Sendable {
    public struct File: Sendable {
        public let bytes: Int
        public let sha256: String
    }

    static let name = "manifest.json"
    private static let schemaVersion = 1

    public let name: String
    public let languages: [String]
    /// In the model's order; label 0 is "O".
    public let labels: [String]
    /// Of a window in sub-words.
    public let maxLength: Int
    /// Name of the model's file, and those of its external data.
    public let model: String
    public let externalData: [String]
    public let threads: Int
    public let prepacking: Bool
    /// Divides the logits before the softmax.
    public let temperature: Double
    /// Name of the file of golden answers, and by how much a logit may differ from it.
    public let golden: String
    public let logitTolerance: Double
    public let files: [String: File]

    /// Parses manifest.json and checks what this runtime relies on. Throws `BundleError`.
    public init(_ data: Data) throws {
        let json = try Unusable.told(of: Self.name) { try Json.parse(Array(data)) }
        let version = json["schema_version"]?.int
        guard version == Self.schemaVersion else {
            let found = version.map { "version \($0)" } ?? "no version"
            throw BundleError(
                .schema, "\(Self.name) has schema \(found); this runtime reads version \(Self.schemaVersion).",
                remedy: "Use the runtime that came with the bundle (runtime/swift).")
        }
        name = json["name"]?.string ?? ""
        languages = json["languages"]?.strings ?? []
        labels = json["labels"]?.strings ?? []
        maxLength = json["max_length"]?.int ?? 0
        model = json["model"]?.string ?? ""
        externalData = json["external_data"]?.strings ?? []
        threads = json["session"]?["threads"]?.int ?? 1
        prepacking = json["session"]?["prepacking"]?.bool ?? true
        temperature = json["confidence"]?["temperature"]?.number ?? 0
        golden = json["golden"]?["file"]?.string ?? ""
        logitTolerance = json["golden"]?["logit_tolerance"]?.number ?? 0
        files = Self.files(json["files"])
        let listed = ([model] + externalData).allSatisfy { Self.isName($0) && files[$0] != nil }
        let wrong = [
            (json["task"]?.string != "token-classification", "its task is another one"),
            (labels.first != "O", "label 0 is not O"),
            (maxLength < 3, "max_length is below 3"),
            (!(temperature > 0 && temperature < .infinity), "the confidence temperature is no positive number"),
            (!listed, "its model is not listed"),
        ].first { $0.0 }
        if let wrong { throw BundleError.damaged(Self.name, wrong.1) }
    }

    private static func files(_ json: Json?) -> [String: File] {
        guard case .object(let entries) = json else { return [:] }
        return entries.compactMapValues { entry in
            guard let bytes = entry["bytes"]?.int, let sha256 = entry["sha256"]?.string else { return nil }
            return File(bytes: bytes, sha256: sha256)
        }
    }

    /// Whether this is a path below the bundle's folder: \w[\w.+-]*(/\w[\w.+-]*)*
    private static func isName(_ path: String) -> Bool {
        func isWord(_ byte: UInt8) -> Bool {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: true  // 0-9, A-Z, a-z, _
            default: false
            }
        }
        return path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { part in
            part.first.map(isWord) == true && part.allSatisfy { isWord($0) || ".+-".utf8.contains($0) }
        }
    }
}

/// A bundle whose manifest has been read.
public struct OpenBundle {
    public let manifest: Manifest
    private let files: (String) throws -> Data
    private let verify: Bool

    /// `files` reads one of the bundle's files. With `verify` every file's sha256 is checked; sizes always are.
    public init(files: @escaping (String) throws -> Data, verify: Bool = true) throws {
        self.files = files
        self.verify = verify
        manifest = try Manifest(Self.get(Manifest.name, files))
    }

    /// A file of the manifest, checked. Throws `BundleError`.
    public func read(_ name: String) throws -> Data {
        guard let entry = manifest.files[name] else {
            throw BundleError.damaged(Manifest.name, "it does not list \(name)")
        }
        let data = try Self.get(name, files)
        let again = "Copy or download the bundle again."
        if data.count != entry.bytes {
            let message = "\(name) has \(data.count) bytes instead of \(entry.bytes)."
            throw BundleError(.incomplete, message, remedy: again)
        }
        if verify, sha256(data) != entry.sha256 {
            throw BundleError(.changed, "\(name) is not the file of the manifest (sha256).", remedy: again)
        }
        return data
    }

    private static func get(_ name: String, _ files: (String) throws -> Data) throws -> Data {
        do {
            return try files(name)
        } catch let error as CancellationError {
            throw error
        } catch {
            throw BundleError(
                .missing, "\(name) cannot be read: \(BundleError.reason(error)).",
                remedy: "Check the bundle's folder among the app's resources, or download it again.")
        }
    }
}
