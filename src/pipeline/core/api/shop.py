"""What a shop's events are about: products, promotions, carts, orders, coupons, wishlists.

https://docs.customer.io/integrations/api/cdp/ecommerce/
"""

from pipeline.core.api.common import Integer, Named, Number


class Article(Named):
    """A product as such."""

    product_id: str | None = None
    sku: str | None = None
    category: str | None = None
    name: str | None = None
    brand: str | None = None
    variant: str | None = None
    price: Number | None = None
    url: str | None = None
    image_url: str | None = None


class Product(Article):
    """A product in a list, a cart or an order."""

    quantity: Integer | None = None
    coupon: str | None = None
    position: Number | None = None


class PricedProduct(Product):
    """A product with the value of what was done."""

    currency: str | None = None
    value: Number | None = None


class CartProduct(Product):
    """A product in a cart."""

    cart_id: str | None = None


class Search(Named):
    """What was searched for."""

    query: str | None = None


class Criterion(Named):
    """One filter or one order of a list."""

    type: str | None = None
    value: str | None = None


class ProductList(Named):
    """A list of products."""

    list_id: str | None = None
    category: str | None = None
    products: tuple[Product, ...] | None = None


class FilteredList(ProductList):
    """A list of products, filtered and sorted."""

    filters: tuple[Criterion, ...] | None = None
    sorts: tuple[Criterion, ...] | None = None


class Promotion(Named):
    """An offer on display."""

    promotion_id: str | None = None
    creative: str | None = None
    name: str | None = None
    position: str | None = None


class Cart(Named):
    """A cart and what is in it."""

    cart_id: str | None = None
    products: tuple[Product, ...] | None = None


class CheckoutStep(Named):
    """A step of the checkout."""

    checkout_id: str | None = None
    step: Integer | None = None
    shipping_method: str | None = None
    payment_method: str | None = None


class PaymentStep(CheckoutStep):
    """The step at which the payment is entered."""

    order_id: str | None = None


class Order(Named):
    """An order: what it costs, and what is in it."""

    order_id: str | None = None
    affiliation: str | None = None
    revenue: Number | None = None
    shipping: Number | None = None
    tax: Number | None = None
    discount: Number | None = None
    coupon: str | None = None
    currency: str | None = None
    products: tuple[Product, ...] | None = None


class Checkout(Order):
    """An order that is about to be placed."""

    value: Number | None = None


class CancelledOrder(Order):
    """An order with its total."""

    total: Number | None = None


class CompletedOrder(CancelledOrder):
    """An order with its totals and its checkout."""

    subtotal: Number | None = None
    checkout_id: str | None = None


class Coupon(Named):
    """A coupon for a cart or an order."""

    order_id: str | None = None
    cart_id: str | None = None
    coupon_id: str | None = None


class NamedCoupon(Coupon):
    """A coupon that the shop knows."""

    coupon_name: str | None = None


class AppliedCoupon(NamedCoupon):
    """A coupon and what it takes off."""

    discount: Number | None = None


class DeniedCoupon(NamedCoupon):
    """A coupon and why it was not taken."""

    reason: str | None = None


class WishlistProduct(Product):
    """A product on a wishlist."""

    wishlist_id: str | None = None
    wishlist_name: str | None = None


class WishlistCartProduct(WishlistProduct):
    """A product on its way from a wishlist to a cart."""

    cart_id: str | None = None


class Share(Named):
    """How something was shared, and with whom."""

    share_via: str | None = None
    share_message: str | None = None
    recipient: str | None = None


class SharedProduct(Article, Share):
    """A product that was shared."""


class CartItem(Named):
    """A product in a shared cart, by its id alone."""

    product_id: str | None = None


class SharedCart(Share):
    """A cart that was shared."""

    cart_id: str | None = None
    products: tuple[CartItem, ...] | None = None


class Review(Named):
    """A review of a product."""

    product_id: str | None = None
    review_id: str | None = None
    review_body: str | None = None
    rating: Integer | None = None
