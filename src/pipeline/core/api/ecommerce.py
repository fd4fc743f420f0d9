"""Events of a shop: browsing, promotions, ordering, coupons, wishlists, sharing, reviews.

https://docs.customer.io/integrations/api/cdp/ecommerce/
"""

from typing import ClassVar, Final, Literal

from pipeline.core.api.common import API
from pipeline.core.api.events import Event
from pipeline.core.api.shop import (
    AppliedCoupon,
    CancelledOrder,
    Cart,
    CartProduct,
    Checkout,
    CheckoutStep,
    CompletedOrder,
    Coupon,
    DeniedCoupon,
    FilteredList,
    Order,
    PaymentStep,
    PricedProduct,
    ProductList,
    Promotion,
    Review,
    Search,
    SharedCart,
    SharedProduct,
    WishlistCartProduct,
    WishlistProduct,
)


class EcommerceEvent(Event):
    """Something happened in a shop."""

    vocabulary: ClassVar[str] = "Ecommerce"
    page: ClassVar[str] = f"{API}ecommerce/"


# browsing


class ProductsSearched(EcommerceEvent):
    """Somebody searched for products."""

    event: Literal["Products Searched"] = "Products Searched"
    properties: Search | None = None


class ProductListViewed(EcommerceEvent):
    """Somebody saw a list of products."""

    event: Literal["Product List Viewed"] = "Product List Viewed"
    properties: ProductList | None = None


class ProductListFiltered(EcommerceEvent):
    """Somebody filtered a list of products."""

    event: Literal["Product List Filtered"] = "Product List Filtered"
    properties: FilteredList | None = None


# promotions


class PromotionViewed(EcommerceEvent):
    """Somebody saw a promotion."""

    event: Literal["Promotion Viewed"] = "Promotion Viewed"
    properties: Promotion | None = None


class PromotionClicked(EcommerceEvent):
    """Somebody followed a promotion."""

    event: Literal["Promotion Clicked"] = "Promotion Clicked"
    properties: Promotion | None = None


# core ordering


class ProductClicked(EcommerceEvent):
    """Somebody chose a product from a list."""

    event: Literal["Product Clicked"] = "Product Clicked"
    properties: PricedProduct | None = None


class ProductViewed(EcommerceEvent):
    """Somebody looked at a product."""

    event: Literal["Product Viewed"] = "Product Viewed"
    properties: PricedProduct | None = None


class ProductAdded(EcommerceEvent):
    """Somebody put a product into the cart."""

    event: Literal["Product Added"] = "Product Added"
    properties: CartProduct | None = None


class ProductRemoved(EcommerceEvent):
    """Somebody took a product out of the cart."""

    event: Literal["Product Removed"] = "Product Removed"
    properties: CartProduct | None = None


class CartViewed(EcommerceEvent):
    """Somebody looked at the cart."""

    event: Literal["Cart Viewed"] = "Cart Viewed"
    properties: Cart | None = None


class CheckoutStarted(EcommerceEvent):
    """Somebody began to pay."""

    event: Literal["Checkout Started"] = "Checkout Started"
    properties: Checkout | None = None


class CheckoutStepViewed(EcommerceEvent):
    """Somebody saw a step of the checkout."""

    event: Literal["Checkout Step Viewed"] = "Checkout Step Viewed"
    properties: CheckoutStep | None = None


class CheckoutStepCompleted(EcommerceEvent):
    """Somebody completed a step of the checkout."""

    event: Literal["Checkout Step Completed"] = "Checkout Step Completed"
    properties: CheckoutStep | None = None


class PaymentInfoEntered(EcommerceEvent):
    """Somebody entered how to pay."""

    event: Literal["Payment Info Entered"] = "Payment Info Entered"
    properties: PaymentStep | None = None


class OrderUpdated(EcommerceEvent):
    """Somebody changed an order."""

    event: Literal["Order Updated"] = "Order Updated"
    properties: Order | None = None


class OrderCompleted(EcommerceEvent):
    """An order was placed."""

    event: Literal["Order Completed"] = "Order Completed"
    properties: CompletedOrder | None = None


class OrderRefunded(EcommerceEvent):
    """An order was refunded."""

    event: Literal["Order Refunded"] = "Order Refunded"
    properties: CompletedOrder | None = None


class OrderCancelled(EcommerceEvent):
    """An order was cancelled."""

    event: Literal["Order Cancelled"] = "Order Cancelled"
    properties: CancelledOrder | None = None


# coupons


class CouponEntered(EcommerceEvent):
    """Somebody entered a coupon."""

    event: Literal["Coupon Entered"] = "Coupon Entered"
    properties: Coupon | None = None


class CouponApplied(EcommerceEvent):
    """A coupon was taken."""

    event: Literal["Coupon Applied"] = "Coupon Applied"
    properties: AppliedCoupon | None = None


class CouponDenied(EcommerceEvent):
    """A coupon was not taken."""

    event: Literal["Coupon Denied"] = "Coupon Denied"
    properties: DeniedCoupon | None = None


class CouponRemoved(EcommerceEvent):
    """A coupon was taken off."""

    event: Literal["Coupon Removed"] = "Coupon Removed"
    properties: AppliedCoupon | None = None


# wishlists


class ProductAddedToWishlist(EcommerceEvent):
    """Somebody put a product on a wishlist."""

    event: Literal["Product Added to Wishlist"] = "Product Added to Wishlist"
    properties: WishlistProduct | None = None


class ProductRemovedFromWishlist(EcommerceEvent):
    """Somebody took a product off a wishlist."""

    event: Literal["Product Removed from Wishlist"] = "Product Removed from Wishlist"
    properties: WishlistProduct | None = None


class WishlistProductAddedToCart(EcommerceEvent):
    """Somebody put a product of a wishlist into the cart."""

    event: Literal["Wishlist Product Added to Cart"] = "Wishlist Product Added to Cart"
    properties: WishlistCartProduct | None = None


# sharing


class ProductShared(EcommerceEvent):
    """Somebody shared a product."""

    event: Literal["Product Shared"] = "Product Shared"
    properties: SharedProduct | None = None


class CartShared(EcommerceEvent):
    """Somebody shared a cart."""

    event: Literal["Cart Shared"] = "Cart Shared"
    properties: SharedCart | None = None


# reviews


class ProductReviewed(EcommerceEvent):
    """Somebody reviewed a product."""

    event: Literal["Product Reviewed"] = "Product Reviewed"
    properties: Review | None = None


ECOMMERCE: Final[tuple[type[Event], ...]] = (
    ProductsSearched,
    ProductListViewed,
    ProductListFiltered,
    PromotionViewed,
    PromotionClicked,
    ProductClicked,
    ProductViewed,
    ProductAdded,
    ProductRemoved,
    CartViewed,
    CheckoutStarted,
    CheckoutStepViewed,
    CheckoutStepCompleted,
    PaymentInfoEntered,
    OrderUpdated,
    OrderCompleted,
    OrderRefunded,
    OrderCancelled,
    CouponEntered,
    CouponApplied,
    CouponDenied,
    CouponRemoved,
    ProductAddedToWishlist,
    ProductRemovedFromWishlist,
    WishlistProductAddedToCart,
    ProductShared,
    CartShared,
    ProductReviewed,
)
