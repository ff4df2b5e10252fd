import AfribertaEdge
import Foundation
import OnnxRuntimeBindings

extension Tagger {
    /// Opens the bundle in `folder`. onnxruntime opens the model by its path, so weights in a file of their own are
    /// memory-mapped. Without `verify` digests are not checked: for a bundle among the resources of a signed app.
    /// Throws `BundleError`.
    public static func load(folder: URL, verify: Bool = true) throws -> Tagger {
        let files = { name in
            try Data(contentsOf: folder.appendingPathComponent(name), options: .alwaysMapped)
        }
        return try load(OpenBundle(files: files, verify: verify)) { bundle in
            for name in [bundle.manifest.model] + bundle.manifest.externalData { _ = try bundle.read(name) }
            return try OnnxModel(folder: folder, manifest: bundle.manifest).logits
        }
    }
}

private final class OnnxModel {
    private static let inputs = ["input_ids", "attention_mask"]
    private static let output = "logits"

    private let environment: ORTEnv  // outlives its session
    private let session: ORTSession
    private let model: String

    init(folder: URL, manifest: Manifest) throws {
        model = manifest.model
        do {
            environment = try ORTEnv(loggingLevel: .error)
            let options = try ORTSessionOptions()
            try options.setIntraOpNumThreads(Int32(manifest.threads))
            try options.addConfigEntry(withKey: "session.intra_op.allow_spinning", value: "0")
            try options.addConfigEntry(withKey: "session.disable_prepacking", value: manifest.prepacking ? "0" : "1")
            let path = folder.appendingPathComponent(model).path
            session = try ORTSession(env: environment, modelPath: path, sessionOptions: options)
        } catch {
            throw BundleError(
                .unsupported, "onnxruntime cannot open \(manifest.model): \(BundleError.reason(error)).",
                remedy: "Check the version of onnxruntime.")
        }
        let (inputs, outputs) = (try session.inputNames(), try session.outputNames())
        guard Set(inputs) == Set(Self.inputs), outputs.contains(Self.output) else {
            throw BundleError.damaged(model, "it takes \(inputs) and gives \(outputs)")
        }
    }

    func logits(_ inputIds: [Int]) throws -> [Float] {
        let feed = [
            Self.inputs[0]: try Self.tensor(inputIds.map(Int64.init)),
            Self.inputs[1]: try Self.tensor(inputIds.map { _ in 1 }),
        ]
        let answer = try session.run(withInputs: feed, outputNames: [Self.output], runOptions: nil)
        guard let value = answer[Self.output], try value.tensorTypeAndShapeInfo().elementType == .float else {
            throw BundleError.damaged(model, "its answer is not float32")
        }
        return try withExtendedLifetime(value) {  // whose memory this is
            let data = try value.tensorData() as Data
            return data.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        }
    }

    /// One row of whole numbers.
    private static func tensor(_ values: [Int64]) throws -> ORTValue {
        let data = values.withUnsafeBytes { NSMutableData(bytes: $0.baseAddress!, length: $0.count) }
        return try ORTValue(tensorData: data, elementType: .int64, shape: [1, NSNumber(value: values.count)])
    }
}
