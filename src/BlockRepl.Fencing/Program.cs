namespace BlockRepl.Fencing;

/// <summary>The entry point of the program sbd.</summary>
internal static class Program
{
    private static int Main(string[] arguments) => SbdProgram.Run(arguments, Terminal.System());
}
