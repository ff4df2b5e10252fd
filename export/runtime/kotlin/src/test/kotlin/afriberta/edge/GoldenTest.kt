package afriberta.edge

import java.io.File
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue

/** Replays golden.jsonl of the bundle this module lies in, or of the folder in the environment variable BUNDLE. */
class GoldenTest {
    @Test
    fun theGoldenFileIsAnswered() {
        val folder = File(System.getenv("BUNDLE") ?: "../..")
        val files = { name: String -> File(folder, name).inputStream() }
        val bundle = Bundle(files)
        val golden = checkNotNull(bundle.manifest.golden) { "The bundle has no golden file." }
        Tagger.load(files, open = OrtModel.openFile(File(folder, bundle.manifest.model))).use { tagger ->
            val lines = bundle.read(golden.file).decodeToString()
            val report = replayGolden(tagger, lines, golden.logitTolerance)
            assertEquals(emptyList(), report.problems)
            assertTrue(report.words > 0)
        }
    }
}
