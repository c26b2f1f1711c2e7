package bench;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** Benchmarks look at everything, and nothing looks back. */
@AnalyzeClasses(
        packages = {"nativelib", "tensor", "autograd", "nn", "optim", "datasets", "ddpm", "bench"},
        importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    @ArchTest
    static final ArchRule nothingDependsOnBenchmarks = noClasses()
            .that()
            .resideOutsideOfPackage("bench..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("bench..");

    @ArchTest
    static final ArchRule onlyTheRivalsPackageKnowsLibtorch = noClasses()
            .that()
            .resideOutsideOfPackage("bench.libtorch..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("org.bytedeco..");

    @ArchTest
    static final ArchRule onlyTheCudaBackendAndItsBenchmarksKnowJCuda = noClasses()
            .that()
            .resideOutsideOfPackages("tensor.backend.cuda..", "bench.gpu..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("jcuda..");
}
