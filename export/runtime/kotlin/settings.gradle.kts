// Only for building this module by itself: `gradle test`. An app's settings include it by its folder.
rootProject.name = "afriberta-edge-tagger"

dependencyResolutionManagement {
    repositories {
        mavenCentral()
    }
}
