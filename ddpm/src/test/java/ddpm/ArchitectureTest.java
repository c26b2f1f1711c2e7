package ddpm;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.methods;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;

import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The arrows of the house: who may know whom. */
@AnalyzeClasses(
        packages = {"nativelib", "tensor", "autograd", "nn", "optim", "datasets", "ddpm"},
        importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    @ArchTest
    static final ArchRule modulesKnowOnlyWhatIsBelowThem = layeredArchitecture()
            .consideringOnlyDependenciesInLayers()
            .layer("native")
            .definedBy("nativelib..")
            .layer("tensor")
            .definedBy("tensor..")
            .layer("autograd")
            .definedBy("autograd..", "nn..", "optim..")
            .layer("datasets")
            .definedBy("datasets..")
            .layer("ddpm")
            .definedBy("ddpm..")
            .whereLayer("native")
            .mayOnlyBeAccessedByLayers("tensor")
            .whereLayer("tensor")
            .mayOnlyBeAccessedByLayers("autograd", "ddpm")
            .whereLayer("autograd")
            .mayOnlyBeAccessedByLayers("ddpm")
            .whereLayer("datasets")
            .mayOnlyBeAccessedByLayers("ddpm")
            .whereLayer("ddpm")
            .mayNotBeAccessedByAnyLayer();

    @ArchTest
    static final ArchRule onlyTheNativeModuleDeclaresNativeMethods = methods()
            .that()
            .haveModifier(JavaModifier.NATIVE)
            .should()
            .beDeclaredInClassesThat()
            .resideInAPackage("nativelib..");

    @ArchTest
    static final ArchRule onlyTheFastBackendsCallNativeCode = noClasses()
            .that()
            .resideOutsideOfPackages("nativelib..", "tensor.backend.cpu..", "tensor.backend.cuda..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("nativelib..");

    @ArchTest
    static final ArchRule onlyTheCudaBackendKnowsJCuda = noClasses()
            .that()
            .resideOutsideOfPackage("tensor.backend.cuda..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("jcuda..");

    @ArchTest
    static final ArchRule opsAndLayersDoNotKnowOptimizers = noClasses()
            .that()
            .resideInAnyPackage("autograd..", "nn..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("optim..");

    @ArchTest
    static final ArchRule autogradDoesNotKnowLayers = noClasses()
            .that()
            .resideInAPackage("autograd..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("nn..");

    @ArchTest
    static final ArchRule diffusionDoesNotKnowTrainingOrFiles = noClasses()
            .that()
            .resideInAnyPackage("ddpm.diffusion..", "ddpm.unet..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("ddpm.train..", "ddpm.io..", "ddpm.report..", "datasets..", "java.nio.file..");

    @ArchTest
    static final ArchRule filesAndPicturesKnowNoTensors = noClasses()
            .that()
            .resideInAnyPackage("ddpm.io..", "ddpm.report..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("tensor..", "autograd..", "nn..", "optim..", "ddpm.train..", "ddpm.unet..");
}
