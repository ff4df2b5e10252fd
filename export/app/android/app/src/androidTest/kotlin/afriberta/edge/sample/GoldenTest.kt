package afriberta.edge.sample

import afriberta.edge.Bundle
import afriberta.edge.replayGolden
import androidx.test.ext.junit.runners.AndroidJUnit4
import androidx.test.platform.app.InstrumentationRegistry
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith

/** Does the bundle in this app answer on this phone as it did where it was made? */
@RunWith(AndroidJUnit4::class)
class GoldenTest {
    @Test
    fun theGoldenFileIsAnswered() {
        val context = InstrumentationRegistry.getInstrumentation().targetContext
        val bundle = Bundle(context::bundleFile)
        val golden = checkNotNull(bundle.manifest.golden) { "The bundle has no golden file." }
        val report = openTagger(context).use { tagger ->
            replayGolden(tagger, bundle.read(golden.file).decodeToString(), golden.logitTolerance)
        }
        assertEquals(emptyList<String>(), report.problems)
    }
}
