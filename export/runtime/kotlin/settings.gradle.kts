// For building it by itself, `gradle test`: apps take src/main/kotlin among their own sources.
rootProject.name = "afriberta-edge-tagger"

dependencyResolutionManagement {
    repositories {
        mavenCentral()
    }
}
