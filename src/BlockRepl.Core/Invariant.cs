using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace BlockRepl.Core;

/// <summary>
/// Checks that stay on in production: a Primary that stops is repaired by its activity log, one that goes on wrongly is
/// not.
/// </summary>
public static class Invariant
{
    /// <exception cref="InvariantException">The condition does not hold.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Require([DoesNotReturnIf(false)] bool condition, string what)
    {
        if (!condition)
        {
            Fail(what);
        }
    }

    [DoesNotReturn]
    public static void Fail(string what) => throw new InvariantException(what);
}

/// <summary>A broken invariant: a defect of the program, never an answer to bad input.</summary>
public sealed class InvariantException(string what) : Exception("invariant broken: " + what);
