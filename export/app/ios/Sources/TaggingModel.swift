import AfribertaEdge
import AfribertaEdgeOnnx
import Combine
import Foundation

/// The tagger, away from the main thread and for one caller at a time.
actor TaggerActor {
    /// The bundle's folder among the app's resources: files, which onnxruntime opens where they lie.
    private static var folder: URL { Bundle.main.bundleURL.appendingPathComponent("tagger", isDirectory: true) }

    private var tagger: Tagger?

    /// What this device answers otherwise than the bundle's golden.jsonl says.
    func goldenProblems() throws -> [String] {
        let manifest = try Manifest(Data(contentsOf: Self.folder.appendingPathComponent("manifest.json")))
        let golden = try Data(contentsOf: Self.folder.appendingPathComponent(manifest.golden))
        let tagger = try Tagger.load(folder: Self.folder)
        return try replayGolden(golden, with: tagger, tolerance: manifest.logitTolerance).problems
    }

    /// Entities of `text`; stops between two sentences when its task is cancelled.
    func tag(_ text: String) throws -> [TaggedEntity] {
        // iOS checks the app's signature, resources included, so digests are not checked again.
        let tagger = try self.tagger ?? Tagger.load(folder: Self.folder, verify: false)
        self.tagger = tagger
        var found: [TaggedEntity] = []
        try tagger.sentences(text) { sentence in
            try Task.checkCancellation()
            found += sentence.entities
        }
        return found
    }
}

/// What the screen shows: the entities of the text that was tagged last.
@MainActor
final class TaggingModel: ObservableObject {
    @Published var text = "Rais Samia Suluhu Hassan alitembelea Arusha siku ya Jumatatu."
    @Published private(set) var tagged = ""
    @Published private(set) var entities: [TaggedEntity] = []
    @Published private(set) var trouble: String?

    private let tagger = TaggerActor()

    /// Tags the text as it is now; a newer call cancels this one (`.task(id:)`).
    func update() async {
        let text = self.text
        do {
            let found = try await tagger.tag(text)
            try Task.checkCancellation()
            (tagged, entities, trouble) = (text, found, nil)
        } catch is CancellationError {
            return
        } catch {
            (tagged, entities, trouble) = (text, [], error.localizedDescription)
        }
    }
}
