package afriberta.edge.sample

import afriberta.edge.Bundle
import afriberta.edge.OrtModel
import afriberta.edge.Tagger
import android.content.Context
import java.io.File

/** A file of the bundle in the app's assets. */
fun Context.readAsset(name: String): ByteArray = assets.open("bundle/$name").use { it.readBytes() }

/**
 * Opens the bundle in the app's assets; takes a moment. Weights in a file of their own are copied out of the app
 * once, since onnxruntime opens those by path only.
 */
fun openTagger(context: Context): Tagger = Tagger.load(context::readAsset) { bundle: Bundle ->
    if (bundle.manifest.externalData.isEmpty()) {
        OrtModel.open(bundle)
    } else {
        OrtModel.openFile(bundle.copyModel(File(context.noBackupFilesDir, "model")))(bundle)
    }
}
