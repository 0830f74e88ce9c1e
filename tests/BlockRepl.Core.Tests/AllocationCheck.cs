using Xunit;

namespace BlockRepl.Core.Tests;

/// <summary>Asserts that an action allocates nothing on this thread once it has run a first time.</summary>
internal static class AllocationCheck
{
    /// <remarks>
    /// A collection, which any test at the same time may cause, takes away what is left of this thread's allocation
    /// buffer and so changes the count: only a run without one says something.
    /// </remarks>
    public static void AssertNone(Action action)
    {
        action();
        long allocated;
        int collections;
        do
        {
            collections = GC.CollectionCount(0);
            long before = GC.GetAllocatedBytesForCurrentThread();
            action();
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }
        while (allocated != 0 && GC.CollectionCount(0) != collections);

        Assert.Equal(0, allocated);
    }
}
